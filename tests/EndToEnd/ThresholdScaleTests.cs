// SPDX-License-Identifier: MIT
// The dial at run time: one session serves every scale, of each request and of prefill and decoding.
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;
using CatsOnnx.Tests.EndToEnd.Chat;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class ThresholdScaleTests : IDisposable
{
    private const string Prompt = "The captain looked at the sea and";

    private static readonly GenerationOptions s_options = new() { MaxNewTokens = 40, StopTokens = [] };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("optimum-fp32", CacheLayout.Growing)]
    [InlineData("genai-fp32-cpu", CacheLayout.Growing)]
    [InlineData("genai-fp32-cpu", CacheLayout.Shared)]
    public void One_session_gives_at_every_scale_what_a_session_of_its_own_gives(string export, CacheLayout layout)
    {
        ModelFolder folder = Sparse(export);
        TextTokenizer tokenizer = folder.LoadTokenizer();
        TokenGeneratorOptions cache = new() { CacheLayout = layout };
        using ModelSession session = ModelSession.Open(folder);
        using TokenGenerator generator = new(session, tokenizer, cache);
        float?[] scales = [1, 0, 1.5f, null, 0, 1, 1.5f];
        int[][] alone = [.. scales.Select(scale =>
        {
            using ModelSession own = ModelSession.Open(folder);
            using TokenGenerator one = new(own, tokenizer, cache);
            return one.Generate(Prompt, s_options with { ThresholdScale = scale }).Ids.ToArray();
        })];
        Assert.Equal(3, alone.Select(ids => string.Join(' ', ids)).Distinct().Count()); // null is 1
        for (int i = 0; i < scales.Length; i++)
        {
            Assert.Equal(alone[i], generator.Generate(Prompt, s_options with { ThresholdScale = scales[i] }).Ids);
        }
    }

    [Theory]
    [InlineData("optimum-fp32", CacheLayout.Growing, 0f, 1f)]
    [InlineData("optimum-fp32", CacheLayout.Growing, 1.5f, 0f)]
    [InlineData("genai-fp32-cpu", CacheLayout.Growing, 0f, 1f)]
    [InlineData("genai-fp32-cpu", CacheLayout.Shared, 0f, 1.5f)]
    public void Prompt_and_decoding_run_with_scales_of_their_own(string export, CacheLayout layout, float prefill, float decode)
    {
        ModelFolder folder = Sparse(export);
        TextTokenizer tokenizer = folder.LoadTokenizer();
        int[] prompt = tokenizer.Encode(Prompt, addSpecialTokens: true);
        using ModelSession session = ModelSession.Open(folder);
        int[] expected = SequenceByHand.Generate(session, prompt, prefill, decode, s_options.MaxNewTokens);
        using TokenGenerator generator = new(session, tokenizer, new TokenGeneratorOptions { CacheLayout = layout, PrefillChunk = 5 });
        GenerationOptions both = s_options with { PrefillThresholdScale = prefill, ThresholdScale = decode };
        Assert.Equal(expected, generator.Generate(prompt, both).Ids);
        Assert.NotEqual(expected, SequenceByHand.Generate(session, prompt, decode, decode, 40));
        Assert.Equal(SequenceByHand.Generate(session, prompt, decode, decode, 40), generator.Generate(prompt, s_options with { ThresholdScale = decode }).Ids);
        Assert.Equal(SequenceByHand.Generate(session, prompt, prefill, 1, 40), generator.Generate(prompt, s_options with { PrefillThresholdScale = prefill }).Ids);
        Assert.Equal(expected, generator.Generate(prompt, both).Ids);
    }

    [Fact]
    public void A_cache_is_kept_only_between_requests_with_the_same_two_scales()
    {
        using TokenGenerator generator = TokenGenerator.Open(RewrittenDemo.In(_folder).Root);
        int[] prompt = generator.Tokenizer.Encode(Prompt, addSpecialTokens: true);
        GenerationOptions options = s_options with { MaxNewTokens = 4, ReusePrefix = true, PrefillThresholdScale = 0, ThresholdScale = 1 };
        Assert.Equal(0, Cached(options));
        Assert.Equal(prompt.Length - 1, Cached(options));
        Assert.Equal(0, Cached(options with { PrefillThresholdScale = null }));
        Assert.Equal(prompt.Length - 1, Cached(options with { PrefillThresholdScale = 1 })); // the same two
        Assert.Equal(0, Cached(options with { ThresholdScale = 1.5f }));
        Assert.Equal(0, Cached(options));

        int Cached(GenerationOptions request) => generator.Generate(prompt, request).Statistics.CachedTokens;
    }

    [Fact]
    public void What_cannot_be_done_is_refused_with_its_name()
    {
        ModelFolder rewritten = RewrittenDemo.In(_folder);
        using TokenGenerator sparse = TokenGenerator.Open(rewritten.Root);
        foreach (float wrong in (float[])[-1, float.NaN, float.PositiveInfinity])
        {
            string rule = FormattableString.Invariant($"ThresholdScale is {wrong}; it must be a finite number, 0 (dense) or more.");
            Assert.StartsWith(rule, Refusal(sparse, s_options with { ThresholdScale = wrong }), StringComparison.Ordinal);
            Assert.StartsWith("Prefill" + rule, Refusal(sparse, s_options with { PrefillThresholdScale = wrong }), StringComparison.Ordinal);
        }

        Assert.Contains("DenseProbeEvery", Refusal(sparse, s_options with { DenseProbeEvery = -1 }), StringComparison.Ordinal);
        using TokenGenerator dense = TokenGenerator.Open(CliTool.DemoModel);
        Assert.Contains("A threshold scale of prefill was given", Refusal(dense, s_options with { PrefillThresholdScale = 0 }), StringComparison.Ordinal);
        Assert.Contains("DenseProbeEvery = 2 was given", Refusal(dense, s_options with { DenseProbeEvery = 2 }), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_cache_both_scales_must_be_equal()
    {
        string? source = SharedFiles.Find("fixtures", "dynamo-nocache-llama-mha");
        Assert.SkipWhen(source is null, "fixtures/dynamo-nocache-llama-mha is in neither ../shared nor tests/assets.");
        using ModelSession session = ModelSession.Open(Rewrite(ModelFolder.Open(source!)));
        using TokenGenerator generator = new(session, ModelFolder.Open(CliTool.DemoModel).LoadTokenizer());
        GenerationOptions options = s_options with { MaxNewTokens = 4, ThresholdScale = 1 };
        int[] prompt = [1, 5, 9];
        string refusal = Assert.Throws<ArgumentException>(() => generator.Generate(prompt, options with { PrefillThresholdScale = 0 })).Message;
        Assert.Contains("threshold scale 1 (prefill 0) was given", refusal, StringComparison.Ordinal);
        Assert.Contains("has no cache", refusal, StringComparison.Ordinal);
        Assert.Equal(generator.Generate(prompt, options).Ids, generator.Generate(prompt, options with { PrefillThresholdScale = 1 }).Ids);
    }

    private static string Refusal(TokenGenerator generator, GenerationOptions options) =>
        Assert.ThrowsAny<ArgumentException>(() => generator.Generate(Prompt, options)).Message;

    private ModelFolder Sparse(string export)
    {
        ModelFolder? folder = TrainedModels.Find("llama-3m/" + export);
        Assert.SkipWhen(folder is null, $"models/llama-3m/{export} is in neither ../shared nor tests/assets.");
        return Rewrite(folder!);
    }

    private ModelFolder Rewrite(ModelFolder folder) => TrainedModels.Rewrite(
        folder, ThresholdTable.Uniform(ModelRewriter.Inspect(OnnxModel.Load(folder.ModelPath)), 0.05f), _folder[Path.GetRandomFileName()]);
}
