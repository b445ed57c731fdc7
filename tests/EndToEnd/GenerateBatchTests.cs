// SPDX-License-Identifier: MIT
// Sequences of unequal length that are generated together get the tokens, text and end that each gets alone.
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Sampling;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class GenerateBatchTests : IDisposable
{
    private static readonly string[] s_prompts =
    [
        "Once upon a time there was a young man who",
        "The",
        "The old house on the hill was dark, and nobody had lived in it for years. When the wind came from the sea,",
        "She said",
        string.Concat(Enumerable.Repeat("The captain looked at the sea and said nothing. ", 30)),
    ];

    private static readonly GenerationOptions s_options = new() { MaxNewTokens = 40, StopTokens = [] };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cats-batch-");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("llama-3m/optimum-fp32", CacheLayout.Auto, 512)]
    [InlineData("llama-3m/optimum-fp32", CacheLayout.Growing, 7)]
    [InlineData("llama-3m/genai-fp32-cpu", CacheLayout.Shared, 512)]
    [InlineData("llama-3m/genai-fp32-cpu", CacheLayout.Shared, 7)]
    [InlineData("llama-3m/genai-fp32-cpu", CacheLayout.Growing, 512)]
    [InlineData("llama-3m/genai-int4-cpu", CacheLayout.Auto, 512)]
    [InlineData("llama-3m/genai-fp16-cuda", CacheLayout.Shared, 512)]
    [InlineData("llama-3m/genai-fp16-cuda", CacheLayout.Growing, 512)]
    public void Every_cache_layout_gives_each_sequence_its_own_tokens(string export, CacheLayout layout, int prefillChunk)
    {
        ModelFolder folder = Model(export);
        using ModelSession session = ModelSession.Open(folder);
        using TokenGenerator generator = new(session, folder.LoadTokenizer(), new TokenGeneratorOptions { CacheLayout = layout, PrefillChunk = prefillChunk });
        foreach (int count in (int[])[1, 2, 5])
        {
            AssertEachAsAlone(generator, [.. s_prompts.Take(count).Select(prompt => new BatchPrompt(generator.Tokenizer.Encode(prompt, addSpecialTokens: true), s_options))], 1);
        }
    }

    public static TheoryData<string> CacheFixtures => GenerationTests.CacheFixtures;

    // Random ids, some of them the only one of their prompt, and several of equal length.
    [Theory]
    [MemberData(nameof(CacheFixtures))]
    public void Every_exporters_graph_gives_each_sequence_its_own_tokens_or_says_why_not_together(string fixture)
    {
        string? path = SharedFiles.Find("fixtures", fixture);
        Assert.SkipWhen(path is null, $"{fixture} is absent");
        using ModelSession session = ModelSession.Open(ModelFolder.Open(path!));
        using TokenGenerator generator = new(session, new GenerationTests.NumberTokenizer(session.Signature.VocabSize));
        Random random = new(11);
        BatchPrompt[] prompts = [.. ((int[])[6, 1, 13, 6, 30]).Select((length, i) => new BatchPrompt(
            [.. Enumerable.Range(0, length).Select(_ => random.Next(session.Signature.VocabSize))], s_options with { MaxNewTokens = 5 + (3 * i) }))];
        bool together = session.Signature.PositionIds is not null || !fixture.StartsWith("optimum117-merged", StringComparison.Ordinal);
        BatchResult result = AssertEachAsAlone(generator, prompts, together ? 1 : 4);
        Assert.True(together || result.GroupsReason!.Contains("position_ids", StringComparison.Ordinal), result.GroupsReason);
        AssertEachAsAlone(generator, [prompts[0], prompts[3]], 1); // equal lengths need no padding
    }

    [Fact]
    public void A_graph_without_a_cache_runs_them_one_after_another_and_says_so()
    {
        string? path = SharedFiles.Find("fixtures", "dynamo-nocache-llama-mha");
        Assert.SkipWhen(path is null, "the fixture is absent");
        using ModelSession session = ModelSession.Open(ModelFolder.Open(path!));
        using TokenGenerator generator = new(session, new GenerationTests.NumberTokenizer(session.Signature.VocabSize));
        BatchResult result = AssertEachAsAlone(generator, [new BatchPrompt([7, 300, 12], s_options), new BatchPrompt([5], s_options), new BatchPrompt([9], s_options)], 3);
        Assert.Contains("no cache", result.GroupsReason);
    }

    // Ends of every kind at different times: the batch gets smaller from any side, the longest leaves first or last.
    [Theory]
    [InlineData("llama-3m/optimum-fp32")]
    [InlineData("llama-3m/genai-fp32-cpu")]
    public void Each_sequence_ends_by_itself(string export)
    {
        using TokenGenerator generator = TokenGenerator.Open(Model(export).Root);
        BatchPrompt[] prompts = [.. s_prompts.Select(prompt => new BatchPrompt(generator.Tokenizer.Encode(prompt, addSpecialTokens: true), s_options))];
        GenerationResult[] whole = [.. prompts.Select(prompt => generator.Generate(prompt.Ids, prompt.Options))];
        int[] nearlyFull = new int[2044];
        Array.Fill(nearlyFull, 300);
        for (int shift = 0; shift < prompts.Length; shift++)
        {
            GenerationOptions[] ends =
            [
                s_options with { StopTokens = [whole[shift].Ids[9]] },
                s_options with { MaxNewTokens = 1 },
                s_options with { StopStrings = ["\u0001", whole[(shift + 2) % prompts.Length].Text.Substring(20, 5)] },
                s_options with { MaxNewTokens = 70 },
                s_options with { MaxNewTokens = 17 },
            ];
            BatchPrompt[] all = [.. ends.Select((options, i) => prompts[(shift + i) % prompts.Length] with { Options = options }), new BatchPrompt(nearlyFull, s_options)];
            BatchResult result = AssertEachAsAlone(generator, all, 1);
            Assert.Equal(
                [FinishReason.StopToken, FinishReason.MaxNewTokens, FinishReason.StopString, FinishReason.MaxNewTokens, FinishReason.MaxNewTokens, FinishReason.ContextFull],
                result.Select(one => one.Reason));
            Assert.Equal(4, result[5].Ids.Count);
        }
    }

    [Theory]
    [InlineData("llama-3m/optimum-fp32")]
    [InlineData("llama-3m/genai-fp32-cpu")]
    public void Sampling_draws_each_sequence_as_alone(string export)
    {
        using TokenGenerator generator = TokenGenerator.Open(Model(export).Root);
        GenerationOptions sampled = s_options with { Sampling = new SamplingOptions { Temperature = 1, TopK = 50, RepetitionPenalty = 1.1f, Seed = 5 } };
        BatchPrompt[] prompts = [.. s_prompts.Select((prompt, i) => new BatchPrompt(
            generator.Tokenizer.Encode(prompt, addSpecialTokens: true), sampled with { Sampling = sampled.Sampling with { Seed = i } }))];
        AssertEachAsAlone(generator, prompts, 1);

        // One prompt several times: another seed is another text, the same seed the same.
        BatchResult same = AssertEachAsAlone(generator, [prompts[0], prompts[0] with { Options = prompts[1].Options }, prompts[0]], 1);
        Assert.Equal(same[0].Text, same[2].Text);
        Assert.NotEqual(same[0].Text, same[1].Text);
        Assert.Equal(same[0].Text, generator.GenerateBatch([s_prompts[0], s_prompts[1]], prompts[0].Options, null, Token)[0].Text);
    }

    [Theory]
    [InlineData("llama-3m/optimum-fp32", false)]
    [InlineData("llama-3m/genai-fp32-cpu", false)]
    [InlineData("llama-3m/genai-fp32-cpu", true)]
    public void Sparse_models_are_counted_for_each_sequence_and_scaled_for_all(string export, bool unfused)
    {
        ModelFolder folder = Sparse(Model(export), unfused);
        using TokenGenerator generator = TokenGenerator.Open(folder.Root, measureSparsity: true);
        foreach ((float? prefill, float? decode) in ((float?, float?)[])[(null, null), (null, 0), (null, 1.5f), (0, 1.5f), (2, null)])
        {
            GenerationOptions options = s_options with { PrefillThresholdScale = prefill, ThresholdScale = decode };
            BatchResult batch = generator.GenerateBatch(s_prompts, options, null, Token);
            for (int i = 0; i < s_prompts.Length; i++)
            {
                GenerationResult alone = generator.Generate(s_prompts[i], options, null, Token);
                Assert.Equal(alone.Ids, batch[i].Ids);
                Assert.Equal(alone.Statistics.Sparsity!.Value, batch[i].Statistics.Sparsity!.Value, 1e-4);
            }
        }

        ArgumentException two = Assert.Throws<ArgumentException>(() => generator.GenerateBatch(
            [new BatchPrompt([5], s_options with { ThresholdScale = 0.5f }), new BatchPrompt([5, 6], s_options)], null, Token));
        Assert.Contains("prompts[1] has the threshold scale of the model, prompts[0] has the threshold scale 0.5:", two.Message);
        Assert.Contains("prompts[1] has the threshold scale 1 (prefill 0), prompts[0] has the threshold scale 1:", Assert.Throws<ArgumentException>(() => generator.GenerateBatch(
            [new BatchPrompt([5], s_options with { ThresholdScale = 1 }), new BatchPrompt([5, 6], s_options with { ThresholdScale = 1, PrefillThresholdScale = 0 })], null, Token)).Message);
        Assert.Contains("prompts[0] has DenseProbeEvery = 3", Assert.Throws<ArgumentException>(
            () => generator.GenerateBatch(s_prompts, s_options with { DenseProbeEvery = 3 }, null, Token)).Message);
    }

    [Fact]
    public void A_beginning_that_prompts_share_is_run_once_where_that_is_asked_for()
    {
        using TokenGenerator generator = TokenGenerator.Open(Model("llama-3m/optimum-fp32").Root);
        string[] prompts = [s_prompts[4] + "The", s_prompts[4] + "Then he", s_prompts[4] + "A"];
        GenerationOptions reuse = s_options with { ReusePrefix = true };
        BatchResult result = generator.GenerateBatch(prompts, reuse, null, Token);
        Assert.Equal(generator.GenerateBatch(prompts, s_options, null, Token).Select(one => one.Text), result.Select(one => one.Text));
        int shared = generator.Tokenizer.Encode(s_prompts[4], addSpecialTokens: true).Length - 2; // the last word may be cut in another way
        Assert.Equal(0, result[0].Statistics.CachedTokens);
        Assert.All(result.Skip(1), one => Assert.InRange(one.Statistics.CachedTokens, shared, one.Statistics.PromptTokens - 1));

        // The next request goes on from the last prompt, not from what the batch made of it.
        GenerationResult next = generator.Generate(prompts[2], reuse, null, Token);
        Assert.Equal(result[2].Text, next.Text);
        Assert.Equal(next.Statistics.PromptTokens - 1, next.Statistics.CachedTokens);
    }

    [Fact]
    public void Tokens_come_with_their_prompts_index_and_cancelling_ends_all()
    {
        using TokenGenerator generator = TokenGenerator.Open(Model("llama-3m/genai-fp32-cpu").Root);
        string[] texts = ["", "", "", "", ""];
        BatchResult result = generator.GenerateBatch(s_prompts, s_options, (i, token) => texts[i] += token.Text, Token);
        Assert.Equal(result.Select(one => one.Text), texts);
        Assert.True(result.TokensPerSecond > 0 && result.All(one => one.Statistics is { NewTokens: 40, TokensPerSecond: > 0 }));
        Assert.Null(result.GroupsReason);

        using CancellationTokenSource stop = new();
        int tokens = 0;
        Assert.ThrowsAny<OperationCanceledException>(() => generator.GenerateBatch(s_prompts, s_options with { MaxNewTokens = 1000 }, (_, _) =>
        {
            if (++tokens == 17)
            {
                stop.Cancel();
            }
        }, stop.Token));
        Assert.InRange(tokens, 17, 20); // the others of the same run
        Assert.Equal(texts, generator.GenerateBatch(s_prompts, s_options, null, Token).Select(one => one.Text));
    }

    // In the first prompt's token, in the last prompt's, in a token of all.
    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(23)]
    public async Task Disposing_from_the_callback_ends_the_batch(int after)
    {
        TokenGenerator generator = TokenGenerator.Open(Model("llama-3m/optimum-fp32").Root);
        int tokens = 0;
        Task<BatchResult> request = Task.Run(() => generator.GenerateBatch(s_prompts, s_options with { MaxNewTokens = 500 }, (_, _) =>
        {
            if (++tokens == after)
            {
                generator.Dispose();
            }
        }), Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        Assert.InRange(tokens, after, after + s_prompts.Length - 1);
        Assert.Throws<ObjectDisposedException>(() => generator.GenerateBatch(s_prompts));
    }

    [Fact]
    public void Requests_that_cannot_run_are_refused_with_the_prompts_index()
    {
        using TokenGenerator generator = TokenGenerator.Open(Model("llama-3m/optimum-fp32").Root);
        Assert.Contains("no prompts", Assert.Throws<ArgumentException>(() => generator.GenerateBatch(Array.Empty<string>(), null, null, Token)).Message);
        Assert.Contains("prompts[1]: The prompt has 2048 tokens", Assert.Throws<ArgumentException>(() => generator.GenerateBatch([[5], new int[2048]], null, null, Token)).Message);
        Assert.Contains("prompts[1]: Token id 4096", Assert.Throws<ArgumentException>(() => generator.GenerateBatch([[5], [4096]], null, null, Token)).Message);
        Assert.Contains("prompts[0]", Assert.Throws<ArgumentException>(() => generator.GenerateBatch([[], [5]], null, null, Token)).Message);
        ISampler one = new SamplerChain(new SamplingOptions { Temperature = 1 });
        ArgumentException shared = Assert.Throws<ArgumentException>(() => generator.GenerateBatch([[5], [6]], s_options with { Sampler = one }, null, Token));
        Assert.Contains("prompts[0] and prompts[1] have one SamplerChain", shared.Message);
    }

    /// <summary>Generates together, and each alone.</summary>
    internal static BatchResult AssertEachAsAlone(TokenGenerator generator, BatchPrompt[] prompts, int groups)
    {
        BatchResult batch = generator.GenerateBatch(prompts, null, Token);
        Assert.Equal((prompts.Length, groups), (batch.Count, batch.Groups));
        for (int i = 0; i < prompts.Length; i++)
        {
            GenerationResult alone = generator.Generate(prompts[i].Ids, prompts[i].Options, null, Token);
            Assert.Equal(alone.Ids, batch[i].Ids);
            Assert.Equal((alone.Text, alone.Reason), (batch[i].Text, batch[i].Reason));
            Assert.Equal((alone.Statistics.PromptTokens, alone.Statistics.NewTokens), (batch[i].Statistics.PromptTokens, batch[i].Statistics.NewTokens));
        }

        return batch;
    }

    private ModelFolder Sparse(ModelFolder dense, bool unfused) => TrainedModels.Rewrite(
        dense, ThresholdTable.Uniform(ModelRewriter.Inspect(OnnxModel.Load(dense.ModelPath)), 0.05f), Path.Combine(_folder.FullName, "sparse"), unfused);

    private static ModelFolder Model(string export)
    {
        ModelFolder? folder = TrainedModels.Find(export);
        Assert.SkipWhen(folder is null, $"../shared/models/{export} is absent");
        return folder;
    }
}
