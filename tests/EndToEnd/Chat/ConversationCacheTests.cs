// SPDX-License-Identifier: MIT
// The second turn of a conversation runs only what is new, and gives the tokens of running everything.
using CatsOnnx.Chat;
using CatsOnnx.Generation;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;
using Microsoft.Extensions.AI;

namespace CatsOnnx.Tests.EndToEnd.Chat;

public sealed class ConversationCacheTests
{
    private const string Jinja = "{{ bos_token }}{% for message in messages %}{{ message.content }}\n{% endfor %}";

    [Theory]
    [InlineData("optimum-fp32", CacheLayout.Growing)]
    [InlineData("genai-fp32-cpu", CacheLayout.Growing)]
    [InlineData("genai-fp32-cpu", CacheLayout.Shared)]
    public void A_shared_beginning_is_not_run_again_and_tokens_are_those_from_scratch(string export, CacheLayout layout)
    {
        ModelFolder folder = ModelFolder.Open(Shared("models/llama-3m/" + export));
        TextTokenizer tokenizer = folder.LoadTokenizer();
        using ModelSession session = ModelSession.Open(folder);
        using TokenGenerator kept = new(session, tokenizer, new TokenGeneratorOptions { CacheLayout = layout, PrefillChunk = 7 });
        using TokenGenerator scratch = new(session, tokenizer, new TokenGeneratorOptions { CacheLayout = layout });
        GenerationOptions options = new() { MaxNewTokens = 20, StopTokens = [], ReusePrefix = true };

        int[] first = tokenizer.Encode("Once upon a time there was a young man who", addSpecialTokens: true);
        IReadOnlyList<int> answer = Same(first, options, cached: 0);
        int[] second = [.. first, .. answer, .. tokenizer.Encode("\nThe old house on the hill")];
        IReadOnlyList<int> next = Same(second, options with { MaxNewTokens = 60 }, cached: first.Length + 19); // the last token was never run

        // Rewound into the answer, into the prompt, the same prompt again, and a prompt that is the beginning of the one before.
        Same([.. second, .. next.Take(10), 300, 301], options, cached: second.Length + 10);
        Same([.. first[..6], 300, 12, 45], options with { MaxNewTokens = 90 }, cached: 6);
        Same([.. first[..6], 300, 12, 45], options, cached: 8);
        Same(first[..4], options, cached: 3);
        Same([2, 300], options, cached: 0);
        Same(second, options with { ReusePrefix = false }, cached: 0);
        Same(second, options, cached: second.Length - 1);

        IReadOnlyList<int> Same(int[] prompt, GenerationOptions request, int cached)
        {
            GenerationResult result = kept.Generate(prompt, request);
            Assert.Equal(scratch.Generate(prompt, request with { ReusePrefix = false }).Ids, result.Ids);
            Assert.Equal((cached, prompt.Length), (result.Statistics.CachedTokens, result.Statistics.PromptTokens));
            return result.Ids;
        }
    }

    [Fact]
    public void A_request_that_was_cancelled_leaves_a_cache_that_serves()
    {
        using TokenGenerator generator = TokenGenerator.Open(CliTool.DemoModel);
        GenerationOptions options = new() { MaxNewTokens = 40, StopTokens = [], ReusePrefix = true };
        int[] prompt = generator.Tokenizer.Encode("Once upon a time there was a young man who", addSpecialTokens: true);
        using CancellationTokenSource stop = new();
        List<int> heard = [];
        Assert.ThrowsAny<OperationCanceledException>(() => generator.Generate(prompt, options, token =>
        {
            heard.Add(token.Id!.Value);
            if (heard.Count == 9)
            {
                stop.Cancel();
            }
        }, stop.Token));
        int[] next = [.. prompt, .. heard, 300, 45];
        GenerationResult result = generator.Generate(next, options);
        Assert.Equal(prompt.Length + 8, result.Statistics.CachedTokens);
        Assert.Equal(generator.Generate(next, options with { ReusePrefix = false }).Ids, result.Ids);
    }

    [Fact]
    public async Task A_second_turn_of_a_chat_runs_only_what_is_new()
    {
        using TokenGenerator generator = TokenGenerator.Open(CliTool.DemoModel);
        ChatTemplate template = ChatTemplate.Parse(Jinja, generator.Tokenizer);
        CatsChatClientOptions options = new() { ChatTemplate = template, Generation = new GenerationOptions { MaxNewTokens = 16, StopTokens = [], ReusePrefix = true } };
        using CatsChatClient client = new(generator, options);
        using CatsChatClient forgetful = new(generator, options with { Generation = options.Generation with { ReusePrefix = false } });
        List<ChatMessage> messages = [new(ChatRole.User, "Once upon a time there was a young man who lived by the sea.")];
        ChatResponse first = await client.GetResponseAsync(messages, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(0, first.Usage!.CachedInputTokenCount);
        messages.AddRange(first.Messages);
        messages.Add(new ChatMessage(ChatRole.User, "What did he see?"));
        ChatResponse second = await client.GetResponseAsync(messages, cancellationToken: TestContext.Current.CancellationToken);
        Assert.True(second.Usage!.CachedInputTokenCount >= first.Usage.InputTokenCount - 1, $"{second.Usage.CachedInputTokenCount} of {first.Usage.InputTokenCount}");
        Assert.Equal((await forgetful.GetResponseAsync(messages, cancellationToken: TestContext.Current.CancellationToken)).Text, second.Text);
    }

    [Fact]
    public void Another_threshold_scale_runs_everything_again()
    {
        using TokenGenerator generator = TokenGenerator.Open(CliTool.DemoModel);
        GenerationOptions options = new() { MaxNewTokens = 4, ReusePrefix = true };
        using TemporaryFolder folder = new();
        using TokenGenerator sparse = TokenGenerator.Open(RewrittenDemo.In(folder).Root);
        int[] prompt = sparse.Tokenizer.Encode("Once upon a time", addSpecialTokens: true);
        sparse.Generate(prompt, options with { ThresholdScale = 1 });
        Assert.Equal(0, sparse.Generate(prompt, options with { ThresholdScale = 0 }).Statistics.CachedTokens);
        Assert.Equal(prompt.Length - 1, sparse.Generate(prompt, options with { ThresholdScale = 0 }).Statistics.CachedTokens);
        Assert.Equal(generator.Generate(prompt, options).Ids, sparse.Generate(prompt, options with { ThresholdScale = 0 }).Ids);
    }

    private static string Shared(string path)
    {
        string? found = SharedFiles.Find(path.Split('/'));
        Assert.SkipWhen(found is null, $"{path} is in neither ../shared nor tests/assets.");
        return found!;
    }
}
