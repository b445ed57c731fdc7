// SPDX-License-Identifier: MIT
// Dense probes and scales by phase on a GPU: steps that were begun ahead, captured graphs and counts stay what they were.
using CatsOnnx.Generation;
using CatsOnnx.Sampling;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.EndToEnd.Cuda;

[Trait("Device", "cuda")]
public sealed class DenseProbesOnCudaTests(ITestOutputHelper output) : IDisposable
{
    private const string Prompt = "Once upon a time there was a young man who";

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(CacheLayout.Auto, true)]
    [InlineData(CacheLayout.Auto, false)]
    [InlineData(CacheLayout.Growing, false)]
    public void Tokens_and_sparsity_are_those_of_a_request_without_probes(CacheLayout layout, bool cudaGraph)
    {
        using ModelSession session = Gpu.OpenCountingDemo(_folder, out TextTokenizer tokenizer, out TokenGeneratorOptions counting);
        using TokenGenerator generator = new(session, tokenizer, counting with { CacheLayout = layout, CudaGraph = cudaGraph });
        Assert.True(session.UsesCudaGraph);
        GenerationOptions greedy = new() { MaxNewTokens = 60, StopTokens = [] };
        GenerationOptions drawn = greedy with { Sampling = new SamplingOptions { Temperature = 1, TopK = 50, Seed = 7 } };
        foreach (GenerationOptions options in (GenerationOptions[])[greedy, drawn, greedy with { PrefillThresholdScale = 0, ThresholdScale = 1.5f }])
        {
            GenerationResult without = generator.Generate(Prompt, options, null, Token);
            foreach (int every in (int[])[1, 2, 7, 1000])
            {
                GenerationResult probed = generator.Generate(Prompt, options with { DenseProbeEvery = every }, null, Token);
                Assert.Equal(without.Ids, probed.Ids);
                Assert.Equal(without.Statistics.Sparsity, probed.Statistics.Sparsity);
                ProbeStatistics? probes = probed.Statistics.Probes;
                Assert.Equal(59 / every, probes?.Count ?? 0);
                if (probes is not null)
                {
                    output.WriteLine($"{layout}, graph {cudaGraph}, every {every}: KL {probes.Kl:F5}, top-1 {probes.Top1Agreement:P0}, {probes.Elapsed.TotalMilliseconds / probes.Count:F2} ms a probe");
                    Assert.True(double.IsFinite(probes.Kl) && probes.Kl > 0, $"KL {probes.Kl}");
                    Assert.InRange(probes.Top1Agreement, 0, 1);
                }
            }

            Assert.Equal(without.Ids, generator.Generate(Prompt, options, null, Token).Ids);
        }

        ProbeStatistics itself = generator.Generate(Prompt, greedy with { ThresholdScale = 0, DenseProbeEvery = 1 }, null, Token).Statistics.Probes!;
        Assert.Equal((0.0, 1.0), (itself.Kl, itself.Top1Agreement));
    }

    [Fact]
    public void The_first_captured_step_may_be_a_probe_and_phases_have_their_own_scale()
    {
        using ModelSession session = Gpu.OpenCountingDemo(_folder, out TextTokenizer tokenizer, out TokenGeneratorOptions counting);
        GenerationOptions options = new() { MaxNewTokens = 48, StopTokens = [], PrefillThresholdScale = 0, ThresholdScale = 1 };
        using TokenGenerator plain = new(session, tokenizer, counting with { CudaGraph = false });
        using TokenGenerator captured = new(session, tokenizer, counting);
        GenerationResult expected = plain.Generate(Prompt, options, null, Token);
        Assert.Equal(expected.Ids, captured.Generate(Prompt, options with { DenseProbeEvery = 1 }, null, Token).Ids);
        Assert.Equal(expected.Ids, captured.Generate(Prompt, options, null, Token).Ids);
        GenerationOptions turned = options with { PrefillThresholdScale = 1, ThresholdScale = 0 };
        GenerationResult dense = captured.Generate(Prompt, turned, null, Token);
        Assert.Equal(plain.Generate(Prompt, turned, null, Token).Ids, dense.Ids);
        Assert.Equal(0, dense.Statistics.Sparsity); // a step begun ahead of the prompt's end would have run with the prompt's scale
    }
}
