// SPDX-License-Identifier: MIT
// The same request again on a GPU: the same logits after every token, the same tokens, the same count of active neurons.
using CatsOnnx.Generation;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.EndToEnd.Cuda;

[Trait("Device", "cuda")]
public sealed class SameBitsOnCudaTests(ITestOutputHelper output) : IDisposable
{
    private const int Runs = 20;

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    // A prompt of 2 tokens runs by the kernels for several rows, a longer one by the dense path: both, and each with and without probes between.
    [Theory]
    [InlineData("Once upon a time there was a young man who", CacheLayout.Auto, true)]
    [InlineData("Once upon a time there was a young man who", CacheLayout.Auto, false)]
    [InlineData("Once upon a time there was a young man who", CacheLayout.Growing, false)]
    [InlineData("The", CacheLayout.Auto, true)]
    [InlineData("The", CacheLayout.Auto, false)]
    [InlineData("The", CacheLayout.Growing, false)]
    public void A_request_gives_the_same_bits_every_time(string prompt, CacheLayout layout, bool cudaGraph)
    {
        using ModelSession session = Gpu.OpenCountingDemo(_folder, out TextTokenizer tokenizer, out TokenGeneratorOptions counting);
        using TokenGenerator generator = new(session, tokenizer, counting with { CacheLayout = layout, CudaGraph = cudaGraph });
        List<string> differences = [];
        foreach (int every in (int[])[0, 2])
        {
            IReadOnlyList<float[]>? first = null;
            double? sparsity = null;
            for (int run = 0; run < Runs; run++)
            {
                LogitsRecorder recorder = new();
                GenerationOptions options = new() { MaxNewTokens = 60, StopTokens = [], Sampler = recorder, DenseProbeEvery = every };
                GenerationResult result = generator.Generate(prompt, options, null, Token);
                first ??= recorder.Rows;
                sparsity ??= result.Statistics.Sparsity;
                int token = Enumerable.Range(0, first.Count).FirstOrDefault(i => !first[i].AsSpan().SequenceEqual(recorder.Rows[i]), -1);
                if (token >= 0)
                {
                    int other = first[token].Zip(recorder.Rows[token]).Count(pair => pair.First != pair.Second);
                    float most = first[token].Zip(recorder.Rows[token]).Max(pair => Math.Abs(pair.First - pair.Second));
                    differences.Add($"probes every {every}, run {run}: from token {token} on ({(token == 0 ? "the prompt's" : "decoding")}), {other} of {first[token].Length} logits, by {most:E1} at most");
                }
                else if (sparsity != result.Statistics.Sparsity)
                {
                    differences.Add($"probes every {every}, run {run}: equal logits, sparsity {result.Statistics.Sparsity:R} and not {sparsity:R}");
                }
            }

            // The device chooses, and begins steps ahead.
            GenerationOptions greedy = new() { MaxNewTokens = 60, StopTokens = [], DenseProbeEvery = every };
            for (int run = 0; run < Runs; run++)
            {
                double? ahead = generator.Generate(prompt, greedy, null, Token).Statistics.Sparsity;
                if (ahead != sparsity)
                {
                    differences.Add($"probes every {every}, greedy run {run}: sparsity {ahead:R} and not {sparsity:R}");
                }
            }
        }

        foreach (string difference in differences)
        {
            output.WriteLine(difference);
        }

        Assert.True(differences.Count == 0, $"{differences.Count} of {4 * Runs} runs differ; the first: {differences.FirstOrDefault()}");
    }
}
