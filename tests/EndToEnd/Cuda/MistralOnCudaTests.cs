// SPDX-License-Identifier: MIT
// mistral-29m in float16 on a GPU: the reference's perplexity at every sparsity, tokens with and without a CUDA graph.
using CatsOnnx.Calibration;
using CatsOnnx.Evaluation;
using CatsOnnx.Generation;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Text;

namespace CatsOnnx.Tests.EndToEnd.Cuda;

[Trait("Device", "cuda")]
public sealed class MistralOnCudaTests(ITestOutputHelper output) : IDisposable
{
    private const string Name = "mistral-29m-genai-fp16-cuda";

    private static readonly ModelSessionOptions s_gpu = new() { Device = Device.Cuda() };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cats-mistral-");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Perplexity_and_sparsity_are_the_references_and_the_graph_gives_the_same_tokens()
    {
        ModelFolder dense = Needed();
        GateObservations observations = CalibrationRun.Run(
            dense, TrainedModels.Windows(dense, "calibrate.txt", 48 * 512), new CalibrationOptions { Session = s_gpu }, Token);
        TextWindows windows = TrainedModels.Windows(dense, "eval.txt");
        EvaluationOptions options = new() { Session = s_gpu, Choice = false };
        Compare("dense", EvaluationRun.Run(dense, windows, options, Token), 0.005);
        foreach (string level in new[] { "0.5", "0.7", "0.9" })
        {
            double sparsity = double.Parse(level, System.Globalization.CultureInfo.InvariantCulture);
            ModelFolder sparse = TrainedModels.Rewrite(dense, observations.ToThresholds(sparsity), Path.Combine(_folder.FullName, level));
            EvaluationResult result = EvaluationRun.Run(sparse, windows, options, Token);
            Compare("cats_" + level, result, 0.005);
            Assert.Equal(TrainedModels.Reference("mistral-29m", "cats_" + level).GetProperty("sparsity").GetDouble(), result.Sparsity!.Value, 0.005);
            SameTokens(sparse);
        }

        SameTokens(dense);
    }

    private void Compare(string entry, EvaluationResult result, double tolerance)
    {
        double expected = TrainedModels.Reference("mistral-29m", entry).GetProperty("perplexity").GetDouble();
        output.WriteLine($"{entry}: perplexity {result.Perplexity:F4} of {expected:F4} ({(result.Perplexity / expected) - 1:P3}), sparsity {result.Sparsity:P2}");
        Assert.Equal(expected, result.Perplexity!.Value, tolerance * expected);
    }

    private static void SameTokens(ModelFolder folder)
    {
        using ModelSession session = ModelSession.Open(folder, s_gpu);
        Assert.True(session.UsesCudaGraph);
        Assert.Equal(0, session.CatsKernels.Cpu);
        using TokenGenerator captured = new(session, folder.LoadTokenizer());
        using TokenGenerator plain = new(session, folder.LoadTokenizer(), new TokenGeneratorOptions { CudaGraph = false });
        GenerationOptions options = new() { MaxNewTokens = 300, StopTokens = [] }; // past the sliding window of 256
        Assert.Equal(plain.Generate("The history of the city begins", options).Ids, captured.Generate("The history of the city begins", options).Ids);
    }

    private static ModelFolder Needed()
    {
        Gpu.Need();

        ModelFolder? model = TrainedModels.Unpack(Name);
        Assert.True(model is not null || !CudaMachine.IsRequired, $"../shared/models/{Name}.tar.xz is absent");
        Assert.SkipWhen(model is null, $"../shared/models/{Name}.tar.xz is absent");
        return model;
    }
}
