// SPDX-License-Identifier: MIT
// On a GPU the norm before each sparse MLP runs inside the MLP's kernel: what the model says stays what it was.
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Sampling;
using CatsOnnx.Session;
using CatsOnnx.Tests.EndToEnd.Chat;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.EndToEnd.Cuda;

[Trait("Device", "cuda")]
public sealed class FusedNormsOnCudaTests(ITestOutputHelper output) : IDisposable
{
    private const string Prompt = "Once upon a time there was a young man who";

    private static readonly ModelSessionOptions s_fused = new() { Device = Device.Cuda() };
    private static readonly ModelSessionOptions s_apart = s_fused with { FuseNorms = false };

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_layer_is_fused_by_default_and_none_where_that_is_switched_off()
    {
        ModelFolder sparse = Demo();
        int layers = ModelRewriter.Inspect(OnnxModel.Load(sparse.ModelPath)).Fused;
        using ModelSession fused = ModelSession.Open(sparse, s_fused);
        using ModelSession apart = ModelSession.Open(sparse, s_apart);
        using ModelSession counting = ModelSession.OpenCounting(sparse, out IReadOnlyList<ActiveCount> counts, s_fused);
        using ModelSession memory = ModelSession.Open(File.ReadAllBytes(sparse.ModelPath), sparse, s_fused);
        Assert.Equal((layers, 0, layers, layers), (fused.FusedNorms, apart.FusedNorms, counting.FusedNorms, memory.FusedNorms));
        Assert.Equal(layers, counts.Count);
        Assert.All((ModelSession[])[fused, apart, counting, memory], session =>
        {
            Assert.Equal((0, layers), (session.CatsKernels.Cpu, session.CatsKernels.Cuda));
            Assert.True(session.UsesCudaGraph);
        });
    }

    // One row, a few rows, ONNX Runtime's products: each has its own norm.
    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(64)]
    public void A_window_has_the_logits_and_active_neurons_of_the_model_with_norms_apart(int tokens)
    {
        ModelFolder sparse = Demo();
        TextTokenizer tokenizer = sparse.LoadTokenizer();
        string text = File.ReadAllText(Path.Combine(CliTool.DemoModel, "eval.txt"))[..4000];
        int[] ids = [.. tokenizer.Encode(text, addSpecialTokens: true).Take(tokens)];
        using ModelSession fused = ModelSession.OpenCounting(sparse, out IReadOnlyList<ActiveCount> counts, s_fused);
        using ModelSession apart = ModelSession.OpenCounting(sparse, out _, s_apart);
        WindowOutput here = fused.RunWindow(ids, null, Token);
        WindowOutput there = apart.RunWindow(ids, null, Token);

        double difference = Tolerances.Difference(Doubles(here.Logits), Doubles(there.Logits));
        double kl = Enumerable.Range(0, tokens).Average(i => LogitsRecorder.Divergence(there.LogitsAt(i), here.LogitsAt(i)));
        Greedy greedy = Greedy.Instance;
        int agree = Enumerable.Range(0, tokens).Count(i => greedy.Sample(here.LogitsAt(i)) == greedy.Sample(there.LogitsAt(i)));
        (long active, long wanted) = (Active(here, counts), Active(there, counts));
        output.WriteLine($"{tokens} tokens: logits differ by {difference:E1} of the largest, KL {kl:E1}, top-1 agrees at {agree}; "
            + $"{active} active neurons, {wanted} with norms apart");
        if (active == wanted) // one decision that falls the other way moves logits by more than roundings do
        {
            Assert.True(difference <= Tolerances.WholeGraph("float16"), $"logits differ by {difference:g3} of the largest");
        }

        Assert.InRange(kl, -1e-6, tokens > 8 ? 1e-2 : 1e-3);
        double near = 4 + (0.002 * wanted); // float16 rounds a near tie another way
        Assert.InRange(active, wanted - near, wanted + near);
    }

    [Fact]
    public void Tokens_are_the_same_with_and_without_a_cuda_graph()
    {
        ModelFolder sparse = Demo();
        TextTokenizer tokenizer = sparse.LoadTokenizer();
        using ModelSession session = ModelSession.Open(sparse, s_fused);
        Assert.True(session.FusedNorms > 0);
        using TokenGenerator captured = new(session, tokenizer);
        using TokenGenerator plain = new(session, tokenizer, new TokenGeneratorOptions { CudaGraph = false });
        using ModelSession apart = ModelSession.Open(sparse, s_apart);
        using TokenGenerator other = new(apart, tokenizer);
        foreach ((string prompt, int tokens) in new[] { (Prompt, 40), ("The", 120), (Prompt, 40) })
        {
            GenerationOptions options = new() { MaxNewTokens = tokens, StopTokens = [] };
            IReadOnlyList<int> ids = captured.Generate(prompt, options, null, Token).Ids;
            Assert.Equal(ids, plain.Generate(prompt, options, null, Token).Ids);
            int equal = ids.Zip(other.Generate(prompt, options, null, Token).Ids).TakeWhile(pair => pair.First == pair.Second).Count();
            output.WriteLine($"'{prompt}': the first {equal} of {tokens} tokens are those with norms apart");
        }
    }

    private static double[] Doubles(ReadOnlySpan<float> values) => [.. values.ToArray().Select(value => (double)value)];

    private static long Active(WindowOutput window, IReadOnlyList<ActiveCount> counts) =>
        counts.Sum(count => window.Extra<int>(count.Output).ToArray().Sum(active => (long)active));

    private ModelFolder Demo()
    {
        Gpu.Need();
        return RewrittenDemo.In(_folder);
    }
}
