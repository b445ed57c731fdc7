// SPDX-License-Identifier: MIT
// Greedy generation with a cache gives the tokens of running the whole sequence again at every step; stopping, cancelling.
using System.Diagnostics;
using System.Numerics.Tensors;
using System.Text;
using CatsOnnx.Generation;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class GenerationTests
{
    private const string Prompt = "Once upon a time there was a young man who";

    [Theory]
    [InlineData("optimum-fp32", CacheLayout.Auto, 512)]
    [InlineData("optimum-fp32", CacheLayout.Growing, 3)]
    [InlineData("genai-fp32-cpu", CacheLayout.Shared, 512)]
    [InlineData("genai-fp32-cpu", CacheLayout.Shared, 3)]
    [InlineData("genai-fp32-cpu", CacheLayout.Growing, 512)]
    [InlineData("genai-fp16-cuda", CacheLayout.Auto, 512)]
    [InlineData("genai-fp16-cuda", CacheLayout.Growing, 512)]
    public void Greedy_tokens_equal_those_of_a_full_forward_at_every_step(string export, CacheLayout layout, int prefillChunk)
    {
        const int Tokens = 48;
        ModelFolder folder = ModelFolder.Open(Shared("models/llama-3m/" + export));
        TextTokenizer tokenizer = folder.LoadTokenizer();
        int[] prompt = tokenizer.Encode(Prompt, addSpecialTokens: true);
        using ModelSession session = ModelSession.Open(folder);
        using TokenGenerator generator = new(session, tokenizer, new TokenGeneratorOptions { CacheLayout = layout, PrefillChunk = prefillChunk });
        GenerationOptions options = new() { MaxNewTokens = Tokens, StopTokens = [] };
        GenerationResult result = generator.Generate(prompt, options);
        Assert.Equal(FullForward(session, prompt, Tokens), result.Ids);
        Assert.Equal(FinishReason.MaxNewTokens, result.Reason);

        // A second request with another length reuses the cache; the first one again gives the same.
        int[] other = tokenizer.Encode("The old house on the hill was", addSpecialTokens: true);
        Assert.Equal(FullForward(session, other, 70), generator.Generate(other, options with { MaxNewTokens = 70 }).Ids);
        Assert.Equal(result.Ids, generator.Generate(prompt, options).Ids);
        Assert.Equal(tokenizer.Decode([.. prompt, .. result.Ids]), Prompt + result.Text);
    }

    [Fact]
    public void All_float32_exports_of_a_model_generate_the_same_text()
    {
        string[] texts = [.. ((string[])["optimum-fp32", "genai-fp32-cpu"]).Select(export =>
        {
            using TokenGenerator generator = TokenGenerator.Open(Shared("models/llama-3m/" + export));
            return generator.Generate(Prompt, new GenerationOptions { MaxNewTokens = 100 }).Text;
        })];
        Assert.Equal(texts[0], texts[1]);
        Assert.True(texts[0].Length > 100, texts[0]);
    }

    public static TheoryData<string> CacheFixtures => [.. FixtureNames()];

    [Theory]
    [MemberData(nameof(CacheFixtures))]
    public void Every_exporters_cache_is_understood(string fixture)
    {
        using ModelSession session = ModelSession.Open(ModelFolder.Open(Shared("fixtures/" + fixture)));
        Assert.True(session.Signature.HasCache);
        int[] prompt = [7, 300, 12, 45, 45, 210];
        const int Tokens = 12;
        using TokenGenerator generator = new(session, new NumberTokenizer(session.Signature.VocabSize));
        IReadOnlyList<int> ids = generator.Generate(prompt, new GenerationOptions { MaxNewTokens = Tokens }).Ids;
        if (session.Signature.FixedSequence is null)
        {
            Assert.Equal(FullForward(session, prompt, Tokens), ids);
        }
        else
        {
            Assert.Equal(Tokens, ids.Count); // one token at a time: there is no full forward to compare with
        }
    }

    [Fact]
    public void A_graph_without_a_cache_generates_by_running_again()
    {
        using ModelSession session = ModelSession.Open(ModelFolder.Open(Shared("fixtures/dynamo-nocache-llama-mha")));
        Assert.False(session.Signature.HasCache);
        using TokenGenerator generator = new(session, new NumberTokenizer(session.Signature.VocabSize));
        int[] prompt = [7, 300, 12];
        Assert.Equal(FullForward(session, prompt, 10), generator.Generate(prompt, new GenerationOptions { MaxNewTokens = 10 }).Ids);
    }

    [Fact]
    public void Stop_strings_end_the_text_wherever_token_borders_fall()
    {
        using TokenGenerator generator = TokenGenerator.Open(Shared("models/llama-3m/optimum-fp32"));
        string whole = generator.Generate(Prompt, new GenerationOptions { MaxNewTokens = 60, StopTokens = [] }).Text;
        for (int start = 5; start < whole.Length - 8; start += 7)
        {
            string stop = whole.Substring(start, 4);
            StringBuilder streamed = new();
            GenerationResult result = generator.Generate(
                Prompt, new GenerationOptions { MaxNewTokens = 60, StopTokens = [], StopStrings = ["\u0001never", stop] }, token => streamed.Append(token.Text));
            Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], result.Text);
            Assert.Equal(result.Text, streamed.ToString());
            Assert.Equal(FinishReason.StopString, result.Reason);
        }
    }

    [Fact]
    public void A_stop_token_ends_the_text_and_is_among_the_ids()
    {
        using TokenGenerator generator = TokenGenerator.Open(Shared("models/llama-3m/genai-fp32-cpu"));
        IReadOnlyList<int> ids = generator.Generate(Prompt, new GenerationOptions { MaxNewTokens = 40, StopTokens = [] }).Ids;
        int stop = ids[20];
        GenerationResult result = generator.Generate(Prompt, new GenerationOptions { MaxNewTokens = 40, StopTokens = [stop] });
        Assert.Equal(ids.Take(ids.ToList().IndexOf(stop) + 1), result.Ids);
        Assert.Equal(FinishReason.StopToken, result.Reason);
    }

    [Fact]
    public async Task Streaming_gives_the_text_piece_by_piece_and_a_reader_that_leaves_ends_it()
    {
        using TokenGenerator generator = TokenGenerator.Open(Shared("models/llama-3m/optimum-fp32"));
        GenerationOptions options = new() { MaxNewTokens = 40, StopTokens = [] };
        GenerationStream stream = generator.Stream(Prompt, options, TestContext.Current.CancellationToken);
        StringBuilder text = new();
        await foreach (GeneratedToken token in stream)
        {
            text.Append(token.Text);
        }

        GenerationResult result = await stream.Completion;
        Assert.Equal(result.Text, text.ToString());
        Assert.Equal(generator.Generate(Prompt, options).Text, result.Text);
        Assert.True(result.Statistics.TokensPerSecond > 0);

        GenerationStream left = generator.Stream(Prompt, options with { MaxNewTokens = 2000 }, TestContext.Current.CancellationToken);
        await foreach (GeneratedToken token in left)
        {
            break;
        }

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left.Completion);
        Assert.Equal(result.Text, generator.Generate(Prompt, options).Text);
    }

    [Fact]
    public void Cancelling_takes_effect_within_a_token_also_in_prefill()
    {
        using TokenGenerator generator = TokenGenerator.Open(Shared("models/llama-3m/optimum-fp32"));
        using CancellationTokenSource stop = new();
        int tokens = 0;
        Assert.ThrowsAny<OperationCanceledException>(() => generator.Generate(Prompt, new GenerationOptions { MaxNewTokens = 1500, StopTokens = [] }, _ =>
        {
            if (++tokens == 5)
            {
                stop.Cancel();
            }
        }, stop.Token));
        Assert.Equal(5, tokens);

        // A prompt in four runs, cancelled early: at least once in several tries (other programs take time too) it ends early.
        int[] longPrompt = new int[2000];
        Array.Fill(longPrompt, 300);
        GenerationOptions one = new() { MaxNewTokens = 1 };
        double best = 1;
        for (int attempt = 0; attempt < 5 && best > 0.75; attempt++)
        {
            long start = Stopwatch.GetTimestamp();
            generator.Generate(longPrompt, one);
            TimeSpan whole = Stopwatch.GetElapsedTime(start);
            using CancellationTokenSource soon = new(whole / 4);
            start = Stopwatch.GetTimestamp();
            Assert.ThrowsAny<OperationCanceledException>(() => generator.Generate(longPrompt, one, null, soon.Token));
            best = Math.Min(best, Stopwatch.GetElapsedTime(start) / whole);
        }

        Assert.True(best <= 0.75, $"{best} of the whole time");
    }

    [Fact]
    public async Task Disposing_ends_the_request_that_runs()
    {
        TokenGenerator generator = TokenGenerator.Open(Shared("models/llama-3m/genai-fp32-cpu"));
        GenerationStream stream = generator.Stream(Prompt, new GenerationOptions { MaxNewTokens = 2000, StopTokens = [] }, TestContext.Current.CancellationToken);
        generator.Dispose();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stream.Completion);
        Assert.Throws<ObjectDisposedException>(() => generator.Generate(Prompt));
    }

    [Fact]
    public async Task Disposing_from_the_callback_ends_the_request()
    {
        TokenGenerator generator = TokenGenerator.Open(Shared("models/llama-3m/optimum-fp32"));
        Task<GenerationResult> request = Task.Run(() => generator.Generate(Prompt, new GenerationOptions { MaxNewTokens = 500, StopTokens = [] }, _ => generator.Dispose()));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
    }

    [Fact]
    public void Requests_that_cannot_run_are_refused_with_both_numbers()
    {
        using TokenGenerator generator = TokenGenerator.Open(Shared("models/llama-3m/optimum-fp32"));
        ArgumentException tooLong = Assert.Throws<ArgumentException>(() => generator.Generate(new int[2048]));
        Assert.Contains("2048 tokens", tooLong.Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => generator.Generate([4096]));
        Assert.Throws<ArgumentOutOfRangeException>(() => generator.Generate(Prompt, new GenerationOptions { MaxNewTokens = 0 }));
        Assert.Throws<ArgumentException>(() => generator.Generate(Prompt, new GenerationOptions { StopStrings = [""] }));
        Assert.Contains("cats.threshold_scale", Assert.Throws<ArgumentException>(() => generator.Generate(Prompt, new GenerationOptions { ThresholdScale = 0 })).Message);
        int[] nearlyFull = new int[2046];
        Array.Fill(nearlyFull, 300);
        GenerationResult full = generator.Generate(nearlyFull, new GenerationOptions { StopTokens = [] });
        Assert.Equal((2, FinishReason.ContextFull), (full.Ids.Count, full.Reason));
    }

    internal static List<int> FullForward(ModelSession session, int[] prompt, int tokens)
    {
        List<int> ids = [.. prompt];
        for (int i = 0; i < tokens; i++)
        {
            WindowOutput output = session.RunWindow([.. ids]);
            ids.Add(TensorPrimitives.IndexOfMax(output.LogitsAt(ids.Count - 1)));
        }

        return ids[prompt.Length..];
    }

    private static IEnumerable<string> FixtureNames()
    {
        string? folder = SharedFiles.Find("fixtures");
        string[] files = folder is null ? [] : Directory.GetFiles(folder, "fixture.json", SearchOption.AllDirectories);
        foreach (string path in files.Order(StringComparer.Ordinal))
        {
            string text = File.ReadAllText(path);
            string name = Path.GetFileName(Path.GetDirectoryName(path)!);
            if (text.Contains("past_key_values", StringComparison.Ordinal) && text.Contains("\"runs_on_cpu\": true", StringComparison.Ordinal))
            {
                yield return name;
            }
        }
    }

    private static string Shared(string path)
    {
        string? found = SharedFiles.Find(path.Split('/'));
        Assert.SkipWhen(found is null, $"{path} is in neither ../shared nor tests/assets.");
        return found!;
    }

    /// <summary>Ids written as numbers, for models without a tokenizer.</summary>
    internal sealed class NumberTokenizer(int size) : TextTokenizer
    {
        public override int VocabularySize => size;

        public override int? FindToken(string token) => int.TryParse(token, out int id) && id < size ? id : null;

        protected override void AppendIds(string text, List<int> ids) => ids.AddRange(text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse));

        protected override ReadOnlySpan<byte> BytesOf(int id) => Encoding.UTF8.GetBytes($" {id}");

        protected override bool SpecialOf(int id) => false;
    }
}
