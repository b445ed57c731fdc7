// SPDX-License-Identifier: MIT
// Dense probes while text is generated: they change no token, and tell the divergence that runs by hand give.
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Sampling;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class DenseProbeTests : IDisposable
{
    private const string Prompt = "The captain looked at the sea and";

    private static readonly GenerationOptions s_options = new() { MaxNewTokens = 40, StopTokens = [] };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("models/llama-3m/optimum-fp32", CacheLayout.Growing)]
    [InlineData("models/llama-3m/genai-fp32-cpu", CacheLayout.Growing)]
    [InlineData("models/llama-3m/genai-fp32-cpu", CacheLayout.Shared)]
    [InlineData("fixtures/dynamo-nocache-llama-mha", CacheLayout.Auto)]
    [InlineData("fixtures/optimum117-merged-llama-mha", CacheLayout.Auto)]
    public void Tokens_and_sparsity_are_those_of_a_request_without_probes(string model, CacheLayout layout)
    {
        ModelFolder folder = Sparse(model);
        using ModelSession session = ModelSession.OpenCounting(folder, out IReadOnlyList<ActiveCount> counts);
        using TokenGenerator generator = new(
            session, ModelFolder.Open(CliTool.DemoModel).LoadTokenizer(), TokenGeneratorOptions.Counting(counts) with { CacheLayout = layout });
        int[] prompt = [1, 45, 7, 300 % session.Signature.VocabSize, 12];
        int tokens = Math.Min(40, (session.Config.ContextLength ?? int.MaxValue) - prompt.Length);
        SamplingOptions drawn = new() { Temperature = 1.2f, TopK = 60, RepetitionPenalty = 1.1f, Seed = 3 };
        foreach (GenerationOptions options in (GenerationOptions[])[s_options, s_options with { Sampling = drawn }, s_options with { ThresholdScale = 2 }])
        {
            GenerationOptions request = options with { MaxNewTokens = tokens };
            GenerationResult without = generator.Generate(prompt, request);
            Assert.Null(without.Statistics.Probes);
            foreach (int every in (int[])[1, 3])
            {
                GenerationResult probed = generator.Generate(prompt, request with { DenseProbeEvery = every });
                Assert.Equal(without.Ids, probed.Ids);
                Assert.Equal(without.Statistics.Sparsity, probed.Statistics.Sparsity);
                Assert.Equal((tokens - 1) / every, probed.Statistics.Probes!.Count);
                Assert.True(double.IsFinite(probed.Statistics.Probes.Kl) && probed.Statistics.Probes.Kl > 0, $"KL {probed.Statistics.Probes.Kl}");
                Assert.InRange(probed.Statistics.Probes.Top1Agreement, 0, 1);
                Assert.True(probed.Statistics.Probes.Elapsed > TimeSpan.Zero);
            }
        }
    }

    [Theory]
    [InlineData("models/llama-3m/optimum-fp32", CacheLayout.Growing)]
    [InlineData("models/llama-3m/genai-fp32-cpu", CacheLayout.Shared)]
    public void Each_probe_tells_what_a_dense_run_by_hand_on_the_same_past_gives(string model, CacheLayout layout)
    {
        ModelFolder folder = Sparse(model);
        TextTokenizer tokenizer = folder.LoadTokenizer();
        int[] prompt = tokenizer.Encode(Prompt, addSpecialTokens: true);
        using ModelSession session = ModelSession.Open(folder);
        using TokenGenerator generator = new(session, tokenizer, new TokenGeneratorOptions { CacheLayout = layout });
        List<GeneratedToken> tokens = [];
        GenerationResult result = generator.Generate(prompt, s_options with { ThresholdScale = 1.5f, DenseProbeEvery = 2 }, tokens.Add);

        using SequenceByHand hand = new(session);
        hand.Run(prompt, 1.5f);
        List<DenseProbe> probes = [];
        for (int i = 1; i < result.Ids.Count; i++)
        {
            float[] dense = hand.Run([result.Ids[i - 1]], 0, stays: false);
            float[] run = hand.Run([result.Ids[i - 1]], 1.5f);
            Assert.Null(tokens[0].Probe); // the prompt gave it
            if (i % 2 != 0)
            {
                Assert.Null(tokens[i].Probe);
                continue;
            }

            probes.Add(tokens[i].Probe!);
            Assert.Equal(Divergence(dense, run), probes[^1].Kl, 1e-5);
            Assert.Equal(Greedy.Instance.Sample(dense) == Greedy.Instance.Sample(run), probes[^1].Top1Agrees);
        }

        ProbeStatistics statistics = result.Statistics.Probes!;
        Assert.Equal(probes.Count, statistics.Count);
        Assert.Equal(probes.Average(probe => probe.Kl), statistics.Kl, 1e-12);
        Assert.Equal(probes.Average(probe => probe.Top1Agrees ? 1.0 : 0), statistics.Top1Agreement, 1e-12);
        Assert.Contains(probes, probe => !probe.Top1Agrees); // at 1.5 times the thresholds
    }

    [Fact]
    public void The_dense_model_is_no_distance_from_itself()
    {
        using TokenGenerator generator = TokenGenerator.Open(Sparse("models/llama-3m/optimum-fp32").Root);
        ProbeStatistics probes = generator.Generate(Prompt, s_options with { ThresholdScale = 0, DenseProbeEvery = 1 }).Statistics.Probes!;
        Assert.Equal((39, 0.0, 1.0), (probes.Count, probes.Kl, probes.Top1Agreement));
    }

    [Fact]
    public void Probes_go_with_scales_by_phase_kept_beginnings_and_requests_that_are_cancelled()
    {
        using TokenGenerator generator = TokenGenerator.Open(Sparse("models/llama-3m/genai-fp32-cpu").Root);
        GenerationOptions options = s_options with { PrefillThresholdScale = 0, ThresholdScale = 1.5f, ReusePrefix = true };
        IReadOnlyList<int> expected = generator.Generate(Prompt, options).Ids;
        int[] prompt = generator.Tokenizer.Encode(Prompt, addSpecialTokens: true);
        using CancellationTokenSource stop = new();
        int heard = 0;
        Assert.ThrowsAny<OperationCanceledException>(() => generator.Generate(
            prompt, options with { DenseProbeEvery = 1 }, _ => { if (++heard == 9) { stop.Cancel(); } }, stop.Token));
        GenerationResult again = generator.Generate(prompt, options with { DenseProbeEvery = 4 });
        Assert.Equal(expected, again.Ids);
        Assert.Equal((prompt.Length - 1, 9), (again.Statistics.CachedTokens, again.Statistics.Probes!.Count));
    }

    private static double Divergence(float[] p, float[] q)
    {
        double pSum = Math.Log(p.Sum(logit => Math.Exp(logit)));
        double qSum = Math.Log(q.Sum(logit => Math.Exp(logit)));
        return p.Zip(q).Sum(pair => Math.Exp(pair.First - pSum) * (pair.First - pSum - (pair.Second - qSum)));
    }

    private ModelFolder Sparse(string model)
    {
        string? path = SharedFiles.Find(model.Split('/'));
        Assert.SkipWhen(path is null, $"{model} is in neither ../shared nor tests/assets.");
        ModelFolder folder = ModelFolder.Open(path!);
        return TrainedModels.Rewrite(
            folder, ThresholdTable.Uniform(ModelRewriter.Inspect(OnnxModel.Load(folder.ModelPath)), 0.05f), _folder[Path.GetRandomFileName()]);
    }
}
