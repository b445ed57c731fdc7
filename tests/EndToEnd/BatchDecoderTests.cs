// SPDX-License-Identifier: MIT
// Sequences that are decoded together get the tokens that each gets alone.
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class BatchDecoderTests
{
    private const int Length = 9;

    [Theory]
    [InlineData("genai-fp32-cpu", 3)]
    [InlineData("optimum-fp32", 2)]
    public void A_batch_gives_each_sequence_its_own_tokens(string export, int batch)
    {
        ModelFolder? folder = TrainedModels.Find("llama-3m/" + export);
        Assert.SkipWhen(folder is null, "../shared/models is absent");
        using ModelSession session = ModelSession.Open(folder);
        AssertEachAsAlone(session, batch);
        AssertEachAsAlone(session, batch, new TokenGeneratorOptions { PrefillChunk = 4 }); // GroupQueryAttention wants a batch's prompt whole
    }

    [Fact]
    public void Bad_batches_and_ids_are_refused_and_sparsity_is_none_without_counts()
    {
        using ModelSession session = ModelSession.Open(ModelFolder.Open(CliTool.DemoModel));
        using BatchDecoder decoder = new(session, 2);
        decoder.Begin(8);
        int[] next = new int[2];
        Assert.Throws<ArgumentException>(() => decoder.Run([1, 2, 3], next, TestContext.Current.CancellationToken));
        Assert.Throws<ArgumentException>(() => decoder.Run([1, 2], new int[1], TestContext.Current.CancellationToken));
        Assert.Contains("9999999", Assert.ThrowsAny<ArgumentException>(() => decoder.Run([1, 9999999], next, TestContext.Current.CancellationToken)).Message);
        decoder.Run([1, 2, 3, 4], next, TestContext.Current.CancellationToken);
        Assert.Null(decoder.Sparsity);
        Assert.Throws<InvalidOperationException>(() => decoder.Run(new int[32], next, TestContext.Current.CancellationToken));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchDecoder(session, 0));
    }

    /// <summary>Decodes random prompts together, and each alone.</summary>
    internal static void AssertEachAsAlone(ModelSession session, int batch, TokenGeneratorOptions? options = null)
    {
        const int Steps = 24;
        Random random = new(3);
        int[] prompts = [.. Enumerable.Range(0, batch * Length).Select(_ => random.Next(session.Signature.VocabSize))];
        int[][] together = Decode(session, batch, prompts, Steps, options);
        for (int sequence = 0; sequence < batch; sequence++)
        {
            int[][] alone = Decode(session, 1, prompts[(sequence * Length)..((sequence + 1) * Length)], Steps, options);
            Assert.Equal(alone.Select(step => step[0]), together.Select(step => step[sequence]));
        }
    }

    private static int[][] Decode(ModelSession session, int batch, int[] prompts, int steps, TokenGeneratorOptions? options)
    {
        CancellationToken token = TestContext.Current.CancellationToken;
        using BatchDecoder decoder = new(session, batch, options) { Counting = false };
        decoder.Begin(Length + steps);
        int[] next = new int[batch];
        decoder.Run(prompts, next, token);
        int[][] all = new int[steps][];
        for (int step = 0; step < steps; step++)
        {
            all[step] = [.. next];
            if (step == steps / 2)
            {
                next = [.. next.Select(id => (id + 1) % session.Signature.VocabSize)]; // not what was chosen: a step begun ahead is taken back
            }

            decoder.Run(next, next, token);
        }

        return all;
    }
}
