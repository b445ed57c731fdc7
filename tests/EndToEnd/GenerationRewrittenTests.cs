// SPDX-License-Identifier: MIT
// Generation with rewritten models: dense tokens at threshold 0 or scale 0, with the native kernels and on plain ONNX Runtime.
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class GenerationRewrittenTests : IDisposable
{
    private const string Prompt = "The captain looked at the sea and";

    private readonly string _folder = Directory.CreateTempSubdirectory("cats-generate-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("optimum-fp32", false)]
    [InlineData("optimum-fp32", true)]
    [InlineData("genai-fp32-cpu", false)]
    [InlineData("genai-fp32-cpu", true)]
    public void A_rewritten_model_gives_dense_tokens_at_scale_0_and_sparse_ones_at_1(string export, bool unfused)
    {
        string source = Shared("models/llama-3m/" + export);
        GenerationOptions options = new() { MaxNewTokens = 64, StopTokens = [] };
        IReadOnlyList<int> dense = Generate(source, null, options);
        string rewritten = Rewrite(source, 0.05f, unfused);
        foreach (bool kernels in (bool[])[true, false])
        {
            Assert.Equal(dense, Generate(rewritten, kernels, options with { ThresholdScale = 0 }));
        }

        IReadOnlyList<int> sparse = Generate(rewritten, true, options);
        Assert.NotEqual(dense, sparse);
        Assert.Equal(sparse, Generate(rewritten, true, options with { ThresholdScale = 1 }));
        Assert.Equal(sparse, Generate(rewritten, false, options));
    }

    [Fact]
    public void Sparsity_is_measured_alike_in_both_forms_and_is_0_at_scale_0()
    {
        string source = Shared("models/llama-3m/optimum-fp32");
        GenerationOptions options = new() { MaxNewTokens = 32, StopTokens = [] };
        List<double> measured = [];
        foreach (bool unfused in (bool[])[false, true])
        {
            using TokenGenerator generator = TokenGenerator.Open(Rewrite(source, 0.05f, unfused), measureSparsity: true);
            GenerationResult sparse = generator.Generate(Prompt, options);
            measured.Add(sparse.Statistics.Sparsity!.Value);
            Assert.Equal(0, generator.Generate(Prompt, options with { ThresholdScale = 0 }).Statistics.Sparsity);
            Assert.Equal(1, generator.Generate(Prompt, options with { ThresholdScale = float.MaxValue }).Statistics.Sparsity);
        }

        Assert.InRange(measured[0], 0.3, 0.95);
        Assert.Equal(measured[0], measured[1], 1e-3);
        using TokenGenerator dense = TokenGenerator.Open(source, measureSparsity: true);
        Assert.Null(dense.Generate(Prompt, options).Statistics.Sparsity);
    }

    private static IReadOnlyList<int> Generate(string folder, bool? kernels, GenerationOptions options)
    {
        using TokenGenerator generator = TokenGenerator.Open(folder, new ModelSessionOptions { UseCatsKernels = kernels });
        return generator.Generate(Prompt, options).Ids;
    }

    private string Rewrite(string source, float threshold, bool unfused)
    {
        string target = Directory.CreateDirectory(Path.Combine(_folder, Path.GetRandomFileName())).FullName;
        foreach (string file in Directory.EnumerateFiles(source, "*.json"))
        {
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        }

        OnnxModel model = OnnxModel.Load(Path.Combine(source, "model.onnx"));
        ThresholdTable thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(model), threshold);
        RewriteReport report = ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = thresholds, Unfused = unfused });
        Assert.Equal((6, 0), (report.Fused, report.Refused));
        model.Save(Path.Combine(target, "model.onnx"));
        return target;
    }

    private static string Shared(string path)
    {
        string? found = SharedFiles.Find(path.Split('/'));
        Assert.SkipWhen(found is null, $"{path} is in neither ../shared nor tests/assets.");
        return found!;
    }
}
