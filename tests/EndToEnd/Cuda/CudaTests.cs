// SPDX-License-Identifier: MIT
// The host on a GPU: placement, tokens with and without a CUDA graph and against the CPU, dial, batches, calibration.
using CatsOnnx.Calibration;
using CatsOnnx.Evaluation;
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Text;
using CatsOnnx.Tokenization;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Tests.EndToEnd.Cuda;

[Trait("Device", "cuda")]
public sealed class CudaTests(ITestOutputHelper output) : IDisposable
{
    private const string Prompt = "Once upon a time there was a young man who";

    private static readonly ModelSessionOptions s_gpu = new()
    {
        Device = Device.Cuda(),
        CudaProviderOptions = new Dictionary<string, string> { ["use_tf32"] = "0" }, // float32 as the CPU has it
    };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cats-cuda-");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Every_sparse_node_runs_on_the_gpu_and_the_graph_is_captured()
    {
        ModelFolder sparse = SparseDemo(0.5);
        using ModelSession session = ModelSession.Open(sparse, s_gpu);
        Assert.Equal(0, session.CatsKernels.Cpu);
        Assert.Equal(Layers(sparse), session.CatsKernels.Cuda);
        Assert.True(session.UsesCudaGraph);
        Assert.Null(session.CudaGraphRefusal);
        using ModelSession none = ModelSession.Open(sparse, s_gpu with { CudaGraph = false });
        Assert.False(none.UsesCudaGraph);
    }

    [Fact]
    public void Strict_opens_what_runs_on_the_gpu_alone_and_names_what_does_not()
    {
        ModelFolder sparse = SparseDemo(0.5);
        try
        {
            using ModelSession session = ModelSession.Open(sparse, s_gpu with { Strict = true });
            Assert.Equal(Layers(sparse), session.CatsKernels.Cuda);
        }
        catch (InvalidDataException error)
        {
            // The builder's nodes that compute the sequence length may stay on the CPU; then that is said.
            Assert.Contains("CPU", error.Message, StringComparison.OrdinalIgnoreCase);
            output.WriteLine(error.Message);
        }
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    public void Tokens_are_the_same_with_and_without_a_cuda_graph(double sparsity)
    {
        Gpu.Need();
        ModelFolder folder = sparsity == 0 ? Demo() : SparseDemo(sparsity);
        TextTokenizer tokenizer = folder.LoadTokenizer();
        using ModelSession session = ModelSession.Open(folder, s_gpu);
        using TokenGenerator captured = new(session, tokenizer);
        using TokenGenerator plain = new(session, tokenizer, new TokenGeneratorOptions { CudaGraph = false });

        // Longer and shorter requests in turns: tensors move, graphs are captured anew, masks are cleared.
        foreach ((string prompt, int tokens) in new[] { (Prompt, 40), ("The", 200), (string.Concat(Enumerable.Repeat(Prompt + ". ", 70)), 90), (Prompt, 40) })
        {
            GenerationOptions options = new() { MaxNewTokens = tokens, StopTokens = [] };
            Assert.Equal(plain.Generate(prompt, options).Ids, captured.Generate(prompt, options).Ids);
        }

        // A prompt in pieces, and one token at a time: other kernels, which may decide another way where an activation is within 4 ulp
        // of its threshold. At 90% float16 tokens part early by that; the distribution behind the prompt stays.
        using TokenGenerator pieces = new(session, tokenizer, new TokenGeneratorOptions { PrefillChunk = 3 });
        (LogitsRecorder whole, LogitsRecorder cut) = (new(), new());
        GenerationOptions last = new() { MaxNewTokens = 30, StopTokens = [] };
        IReadOnlyList<int> ids = captured.Generate(Prompt, last with { Sampler = whole }).Ids;
        int equal = pieces.Generate(Prompt, last with { Sampler = cut }).Ids.Zip(ids).TakeWhile(pair => pair.First == pair.Second).Count();
        double kl = LogitsRecorder.Divergence(whole.Rows[0], cut.Rows[0]);
        output.WriteLine($"a prompt in pieces at {sparsity:P0}: KL {kl:E1}, the first {equal} of 30 tokens equal");
        Assert.InRange(kl, 0, sparsity == 0 ? 1e-3 : 0.1);
        Assert.True(equal >= 20 || sparsity > 0.5, $"{equal} of 30"); // another path may round a near tie another way in float16
    }

    [Theory]
    [InlineData("optimum-fp32", CacheLayout.Auto)]
    [InlineData("genai-fp32-cpu", CacheLayout.Auto)]
    [InlineData("genai-fp32-cpu", CacheLayout.Growing)]
    public void Float32_tokens_equal_those_of_the_cpu(string export, CacheLayout layout)
    {
        Gpu.Need();
        ModelFolder folder = Model(export);
        TextTokenizer tokenizer = folder.LoadTokenizer();
        GenerationOptions options = new() { MaxNewTokens = 64, StopTokens = [] };
        using ModelSession cpu = ModelSession.Open(folder);
        using ModelSession gpu = ModelSession.Open(folder, s_gpu);
        using TokenGenerator there = new(cpu, tokenizer);
        using TokenGenerator here = new(gpu, tokenizer, new TokenGeneratorOptions { CacheLayout = layout });
        Assert.Equal(there.Generate(Prompt, options).Ids, here.Generate(Prompt, options).Ids);

        ModelFolder sparse = Sparse(folder, 0.5, "sparse-" + export);
        using ModelSession sparseCpu = ModelSession.Open(sparse);
        using ModelSession sparseGpu = ModelSession.Open(sparse, s_gpu);
        Assert.Equal(0, sparseGpu.CatsKernels.Cpu);
        using TokenGenerator sparseThere = new(sparseCpu, tokenizer);
        using TokenGenerator sparseHere = new(sparseGpu, tokenizer, new TokenGeneratorOptions { CacheLayout = layout });
        Assert.Equal(sparseThere.Generate(Prompt, options).Ids, sparseHere.Generate(Prompt, options).Ids);
    }

    [Fact]
    public void One_captured_graph_serves_every_threshold_scale_and_counts_what_it_replays()
    {
        ModelFolder sparse = SparseDemo(0.7);
        TextTokenizer tokenizer = sparse.LoadTokenizer();
        using ModelSession session = ModelSession.OpenCounting(sparse, out IReadOnlyList<ActiveCount> counts, s_gpu);
        using TokenGenerator generator = new(session, tokenizer, TokenGeneratorOptions.Counting(counts));
        GenerationOptions options = new() { MaxNewTokens = 48, StopTokens = [] };
        GenerationResult[] results = [.. new float[] { 1, 0, 1.5f, 1, 0 }.Select(scale => generator.Generate(Prompt, options with { ThresholdScale = scale }))];
        output.WriteLine(string.Join(", ", results.Select(result => $"{result.Statistics.Sparsity:P1}")));
        Assert.Equal(results[0].Ids, results[3].Ids);
        Assert.Equal(results[1].Ids, results[4].Ids);
        Assert.Equal(results[0].Statistics.Sparsity, results[3].Statistics.Sparsity);
        Assert.Equal(0, results[1].Statistics.Sparsity);
        Assert.InRange(results[0].Statistics.Sparsity!.Value, 0.6, 0.8);
        Assert.True(results[2].Statistics.Sparsity > results[0].Statistics.Sparsity);

        using ModelSession separate = ModelSession.OpenCounting(sparse, out counts, s_gpu);
        using TokenGenerator alone = new(separate, tokenizer, TokenGeneratorOptions.Counting(counts) with { CudaGraph = false });
        for (int i = 0; i < 3; i++)
        {
            GenerationResult expected = alone.Generate(Prompt, options with { ThresholdScale = new float[] { 1, 0, 1.5f }[i] });
            Assert.Equal(expected.Ids, results[i].Ids);
            Assert.Equal(expected.Statistics.Sparsity, results[i].Statistics.Sparsity);
        }
    }

    [Theory]
    [InlineData("genai-fp32-cpu", 2)]
    [InlineData("genai-fp32-cpu", 5)]
    [InlineData("optimum-fp32", 3)]
    public void A_batch_gives_each_sequence_its_own_tokens(string export, int batch)
    {
        Gpu.Need();
        ModelFolder folder = Sparse(Model(export), 0.5, "batch");
        using ModelSession session = ModelSession.Open(folder, s_gpu);
        BatchDecoderTests.AssertEachAsAlone(session, batch);
    }

    [Theory]
    [InlineData("layer")]
    [InlineData("neuron")]
    public void Calibration_gives_the_thresholds_of_the_cpu(string method)
    {
        Gpu.Need();
        ModelFolder folder = Model("genai-fp32-cpu");
        TextWindows windows = TrainedModels.Windows(folder, "calibrate_fiction.txt", 4 * 512);
        CalibrationOptions options = new() { Method = method };
        ThresholdTable cpu = CalibrationRun.Run(folder, windows, options, Token).ToThresholds();
        ThresholdTable gpu = CalibrationRun.Run(folder, windows, options with { Session = s_gpu }, Token).ToThresholds();
        Assert.All(cpu.Layers.Zip(gpu.Layers), pair => Assert.All(
            pair.First.Thresholds.Zip(pair.Second.Thresholds), values => Assert.Equal(values.First, values.Second, 1e-3 * values.First)));
    }

    [Fact]
    public void Evaluation_agrees_with_the_cpu()
    {
        ModelFolder sparse = SparseDemo(0.5);
        TextWindows windows = TrainedModels.Windows(sparse, "eval_fiction.txt", 8 * 512);
        EvaluationResult cpu = EvaluationRun.Run(sparse, windows, null, Token);
        EvaluationResult gpu = EvaluationRun.Run(sparse, windows, new EvaluationOptions { Session = s_gpu }, Token);
        output.WriteLine($"CPU {cpu.Perplexity:F4}, {cpu.Sparsity:P2}; GPU {gpu.Perplexity:F4}, {gpu.Sparsity:P2}");
        Assert.Equal(cpu.Perplexity!.Value, gpu.Perplexity!.Value, 0.002 * cpu.Perplexity.Value);
        Assert.Equal(cpu.Sparsity!.Value, gpu.Sparsity!.Value, 1e-3);
        Assert.Equal(cpu.NextTokenAccuracy!.Value, gpu.NextTokenAccuracy!.Value, 0.004);
        Assert.Equal(cpu.ChoiceAccuracy!.Value, gpu.ChoiceAccuracy!.Value, 0.06); // few items
    }

    // Several lengths: one row, a few rows, ONNX Runtime's products.
    [Theory]
    [InlineData(0.0)]
    [InlineData(0.5)]
    public void The_same_window_gives_the_same_bits_every_time(double sparsity)
    {
        Gpu.Need();
        ModelFolder folder = sparsity == 0 ? Demo() : SparseDemo(sparsity);
        using ModelSession session = ModelSession.Open(folder, s_gpu);
        foreach (int length in new[] { 1, 5, 8, 9, 11, 40, 300 })
        {
            int[] ids = [.. Enumerable.Range(1, length).Select(i => (i * 37) % 4000)];
            float[] first = [.. session.RunWindow(ids, null, Token).Logits];
            int other = 0;
            for (int run = 0; run < 40; run++)
            {
                other += session.RunWindow(ids, null, Token).Logits.SequenceEqual(first) ? 0 : 1;
            }

            output.WriteLine($"{length} tokens: {other} of 40 runs differ");
            Assert.Equal(0, other);
        }
    }

    [Fact]
    public async Task Cancelling_and_disposing_leave_the_session_fit()
    {
        ModelFolder sparse = SparseDemo(0.5);
        using ModelSession session = ModelSession.Open(sparse, s_gpu);
        TextTokenizer tokenizer = sparse.LoadTokenizer();
        using TokenGenerator generator = new(session, tokenizer);
        GenerationOptions options = new() { MaxNewTokens = 30, StopTokens = [] };
        IReadOnlyList<int> expected = generator.Generate(Prompt, options).Ids;
        using CancellationTokenSource stop = new();
        int tokens = 0;
        Assert.ThrowsAny<OperationCanceledException>(() => generator.Generate(Prompt, options with { MaxNewTokens = 1000 }, _ =>
        {
            if (++tokens == 7)
            {
                stop.Cancel();
            }
        }, stop.Token));
        Assert.Equal(7, tokens);
        Assert.Equal(expected, generator.Generate(Prompt, options).Ids);

        // Generators on several threads share the session, each with a graph of its own.
        IReadOnlyList<int>[] all = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            using TokenGenerator other = new(session, tokenizer);
            other.Generate("The", options);
            return other.Generate(Prompt, options).Ids;
        })));
        Assert.All(all, ids => Assert.Equal(expected, ids));
    }

    // The scratch generator runs the prompt in the same pieces, so that float16 rounds alike.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_conversation_goes_on_from_the_cache(bool cudaGraph)
    {
        Gpu.Need();
        ModelFolder sparse = SparseDemo(0.5);
        TextTokenizer tokenizer = sparse.LoadTokenizer();
        using ModelSession session = ModelSession.Open(sparse, s_gpu);
        int[] first = tokenizer.Encode(Prompt, addSpecialTokens: true);
        using TokenGenerator kept = new(session, tokenizer, new TokenGeneratorOptions { CudaGraph = cudaGraph });
        using TokenGenerator scratch = new(session, tokenizer, new TokenGeneratorOptions { CudaGraph = cudaGraph, PrefillChunk = first.Length });
        GenerationOptions options = new() { MaxNewTokens = 60, StopTokens = [], ReusePrefix = true };
        kept.Generate(first, options with { MaxNewTokens = 1 });
        foreach (string next in (string[])[" was very old", ". The sea", " was very old and"])
        {
            int[] second = [.. first, .. tokenizer.Encode(next)];
            GenerationResult result = kept.Generate(second, options);
            Assert.InRange(result.Statistics.CachedTokens, first.Length, second.Length - 1);
            if (result.Statistics.CachedTokens == first.Length)
            {
                Assert.Equal(scratch.Generate(second, options with { ReusePrefix = false }).Ids, result.Ids);
            }
        }
    }

    [Fact]
    public void A_gpu_that_is_not_there_is_named()
    {
        Gpu.Need();
        Assert.Contains("cuda:7", Assert.Throws<NotSupportedException>(
            () => ModelSession.Open(Demo(), new ModelSessionOptions { Device = Device.Cuda(7) })).Message);
    }

    private static ModelFolder Demo() => ModelFolder.Open(Path.Combine(SharedFiles.RepositoryRoot, "models", "demo"));

    private static ModelFolder Model(string export)
    {
        ModelFolder? folder = TrainedModels.Find("llama-3m/" + export);
        Assert.True(folder is not null || !CudaMachine.IsRequired, $"../shared/models/llama-3m/{export} is absent");
        Assert.SkipWhen(folder is null, $"../shared/models/llama-3m/{export} is absent");
        return folder;
    }

    private ModelFolder SparseDemo(double sparsity)
    {
        Gpu.Need();
        return Sparse(Demo(), sparsity, "demo");
    }

    // Thresholds from the CPU's activations, so that both devices run the same file.
    private ModelFolder Sparse(ModelFolder dense, double sparsity, string name)
    {
        TextTokenizer tokenizer = dense.LoadTokenizer();
        TextWindows windows = TextWindows.FromFiles(
            [Path.Combine(SharedFiles.RepositoryRoot, "models", "demo", "calibrate.txt")],
            document => tokenizer.Encode(document), tokenizer.BosId, tokenizer.EosId, 4 * 512);
        ThresholdTable thresholds = CalibrationRun.Run(dense, windows, new CalibrationOptions { Sparsity = sparsity }, Token).ToThresholds();
        return TrainedModels.Rewrite(dense, thresholds, Path.Combine(_folder.FullName, name));
    }

    private static int Layers(ModelFolder folder)
    {
        GraphRewriter.Model.OnnxModel graph = GraphRewriter.Model.OnnxModel.Load(folder.ModelPath);
        return GraphRewriter.ModelRewriter.Inspect(graph).Fused;
    }
}
