// SPDX-License-Identifier: MIT
// The demo model as an IChatClient: answers, streaming, options, and Microsoft.Extensions.AI's own middleware around it.
using System.ComponentModel;
using CatsOnnx.Chat;
using CatsOnnx.Generation;
using CatsOnnx.Sampling;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace CatsOnnx.Tests.EndToEnd.Chat;

public sealed class ChatClientTests
{
    private const string Jinja = "{{ bos_token }}{% for message in messages %}{{ message.content }} {% endfor %}";
    private static readonly ChatMessage[] Messages = [new(ChatRole.System, "Once upon a time"), new(ChatRole.User, "there was a young man who")];
    private static readonly CatsChatClientOptions Plain = new() { ChatTemplate = ChatTemplate.Parse(Jinja, "<s>", "</s>"), ModelId = "demo", Generation = new GenerationOptions { MaxNewTokens = 40, StopTokens = [] } };

    [Fact]
    public async Task Answers_are_what_the_generator_gives_for_the_templates_text()
    {
        using CatsChatClient client = CatsChatClient.Open(CliTool.DemoModel, Plain);
        int[] prompt = client.Generator.Tokenizer.Encode("<s>Once upon a time there was a young man who ");
        Assert.Equal(client.Generator.Tokenizer.BosId, prompt[0]);
        string expected = client.Generator.Generate(prompt, Plain.Generation).Text;
        expected = expected.StartsWith(' ') ? expected[1..] : expected; // SentencePiece's own

        ChatResponse response = await client.GetResponseAsync(Messages, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(expected, response.Text);
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
        Assert.Equal("demo", response.ModelId);
        Assert.Equal((prompt.Length, 40, prompt.Length + 40), (response.Usage!.InputTokenCount, response.Usage.OutputTokenCount, response.Usage.TotalTokenCount));
        Assert.True((double)response.AdditionalProperties!["cats.tokens_per_second"]! > 0);
        Assert.NotNull(response.ResponseId);
        Assert.Equal(ChatRole.Assistant, Assert.Single(response.Messages).Role);

        List<ChatResponseUpdate> updates = await client.GetStreamingResponseAsync(Messages, cancellationToken: TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);
        Assert.Equal(expected, string.Concat(updates.Select(update => update.Text)));
        Assert.True(updates.Count > 20, $"{updates.Count} updates");
        Assert.Single(updates.Select(update => update.ResponseId).Distinct());
        Assert.Equal(40, updates[^1].Contents.OfType<UsageContent>().Single().Details.OutputTokenCount);

        // Instructions go before the conversation, in one system message with its own.
        ChatResponse instructed = await client.GetResponseAsync(Messages[1..], new ChatOptions { Instructions = "Once upon a time" }, TestContext.Current.CancellationToken);
        Assert.Equal(expected, instructed.Text);
    }

    [Fact]
    public async Task Options_of_a_request_reach_the_generator()
    {
        using CatsChatClient client = CatsChatClient.Open(CliTool.DemoModel, Plain);
        string greedy = await Text(null);
        Assert.Equal(greedy, await Text(new ChatOptions { Temperature = 0 }));
        Assert.Equal(greedy, await Text(new ChatOptions { TopK = 1, Temperature = 2, ModelId = "demo" }));
        Assert.Equal(greedy, await Text(new ChatOptions { Seed = 5, ResponseFormat = ChatResponseFormat.Text, ToolMode = ChatToolMode.Auto }));
        ChatOptions drawn = new() { Temperature = 1, TopP = 0.95f, TopK = 100, Seed = 42, AdditionalProperties = new() { ["cats.min_p"] = 0.01, ["other"] = "ignored" } };
        Assert.Equal(await Text(drawn), await Text(drawn));
        Assert.NotEqual(greedy, await Text(drawn));
        Assert.NotEqual(await Text(drawn), await Text(new ChatOptions { Temperature = 1, TopP = 0.95f, TopK = 100, Seed = 43 }));
        Assert.NotEqual(greedy, await Text(new ChatOptions { FrequencyPenalty = 2, PresencePenalty = 1 }));
        Assert.NotEqual(greedy, await Text(new ChatOptions { AdditionalProperties = new() { ["cats.repetition_penalty"] = "1.5" } }));
        Assert.Equal(
            client.Generator.Generate(client.Generator.Tokenizer.Encode("<s>Once upon a time there was a young man who "), Plain.Generation with
            {
                Sampling = new SamplingOptions { Temperature = 1, TopP = 0.95f, TopK = 100, Seed = 42, MinP = 0.01f },
            }).Text.TrimStart(' '),
            await Text(drawn));

        string stop = greedy[10..14];
        ChatResponse stopped = await client.GetResponseAsync(Messages, new ChatOptions { StopSequences = [stop] }, TestContext.Current.CancellationToken);
        Assert.Equal(greedy[..greedy.IndexOf(stop, StringComparison.Ordinal)], stopped.Text);
        Assert.Equal(ChatFinishReason.Stop, stopped.FinishReason);
        ChatResponse brief = await client.GetResponseAsync(Messages, new ChatOptions { MaxOutputTokens = 3 }, TestContext.Current.CancellationToken);
        Assert.Equal(3, brief.Usage!.OutputTokenCount);
        ChatResponse raw = await client.GetResponseAsync(Messages, new ChatOptions { RawRepresentationFactory = _ => new GenerationOptions { MaxNewTokens = 2 } }, TestContext.Current.CancellationToken);
        Assert.Equal(2, raw.Usage!.OutputTokenCount);

        async Task<string> Text(ChatOptions? options) => (await client.GetResponseAsync(Messages, options, TestContext.Current.CancellationToken)).Text;
    }

    [Fact]
    public async Task The_threshold_scale_is_chosen_by_request()
    {
        using TemporaryFolder folder = new();
        using CatsChatClient dense = CatsChatClient.Open(CliTool.DemoModel, Plain);
        using CatsChatClient sparse = CatsChatClient.Open(RewrittenDemo.In(folder).Root, Plain);
        string expected = (await dense.GetResponseAsync(Messages, cancellationToken: TestContext.Current.CancellationToken)).Text;
        Assert.Equal(expected, (await sparse.GetResponseAsync(Messages, Scale(0), TestContext.Current.CancellationToken)).Text);
        Assert.NotEqual(expected, (await sparse.GetResponseAsync(Messages, Scale(1f), TestContext.Current.CancellationToken)).Text);
        Assert.Contains("threshold", (await Assert.ThrowsAsync<ArgumentException>(() => dense.GetResponseAsync(Messages, Scale(0)))).Message);
        Assert.Contains("must be a number", (await Assert.ThrowsAsync<ArgumentException>(() => dense.GetResponseAsync(Messages, Scale("much")))).Message);
        Assert.Contains("cats.threshold_scale\"] is -1; it must be a finite number, 0 (dense) or more.", (await Assert.ThrowsAsync<ArgumentException>(() => sparse.GetResponseAsync(Messages, Scale(-1)))).Message);

        static ChatOptions Scale(object value) => new() { AdditionalProperties = new() { ["cats.threshold_scale"] = value } };
    }

    [Fact]
    public async Task Prefill_and_probes_are_chosen_by_request_and_shown_while_the_answer_grows()
    {
        using TemporaryFolder folder = new();
        using CatsChatClient client = CatsChatClient.Open(RewrittenDemo.In(folder).Root, Plain);
        string text = (await client.GetResponseAsync(Messages, More(("cats.prefill_threshold_scale", 0)), TestContext.Current.CancellationToken)).Text;
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(
            Messages, More(("cats.prefill_threshold_scale", 0), ("cats.dense_probe_every", 3)), TestContext.Current.CancellationToken))
        {
            updates.Add(update);
        }

        ChatResponse response = updates.ToChatResponse();
        Assert.Equal(text, response.Text);
        DenseProbe[] probes = [.. updates.Select(update => update.RawRepresentation is GeneratedToken token ? token.Probe : null).OfType<DenseProbe>()];
        Assert.Equal(((int)response.Usage!.OutputTokenCount! - 1) / 3, probes.Length);
        Assert.Equal(probes.Length, response.AdditionalProperties!["cats.dense_probes"]);
        Assert.Equal(probes.Average(probe => probe.Kl), (double)response.AdditionalProperties["cats.kl"]!, 1e-12);
        Assert.Equal(probes.Average(probe => probe.Top1Agrees ? 1.0 : 0), (double)response.AdditionalProperties["cats.top1_agreement"]!, 1e-12);

        foreach ((string name, object value, string range) in ((string, object, string)[])
            [("cats.prefill_threshold_scale", double.NaN, "is NaN; it must be a finite number, 0 (dense) or more."), ("cats.dense_probe_every", -1, "a whole number"), ("cats.dense_probe_every", 1.5, "a whole number")])
        {
            string message = (await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync(Messages, More((name, value))))).Message;
            Assert.Contains(name, message);
            Assert.Contains(range, message);
        }

        static ChatOptions More(params (string Name, object Value)[] more) =>
            new() { AdditionalProperties = new(more.Select(one => KeyValuePair.Create(one.Name, (object?)one.Value))) };
    }

    public static TheoryData<string, ChatOptions> Refused => new()
    {
        { "ConversationId", new ChatOptions { ConversationId = "1" } },
        { "ModelId", new ChatOptions { ModelId = "gpt" } },
        { "ResponseFormat", new ChatOptions { ResponseFormat = ChatResponseFormat.Json } },
        { "AllowMultipleToolCalls", new ChatOptions { AllowMultipleToolCalls = false } },
        { "ToolMode", new ChatOptions { ToolMode = ChatToolMode.RequireAny } },
        { "Reasoning", new ChatOptions { Reasoning = new ReasoningOptions() } },
        { "cats.sparsity", new ChatOptions { AdditionalProperties = new() { ["cats.sparsity"] = 0.5 } } },
        { "has no place for tools", new ChatOptions { Tools = [AIFunctionFactory.Create(() => 1, "one")] } },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task What_cannot_be_done_is_refused_by_name(string name, ChatOptions options)
    {
        using CatsChatClient client = CatsChatClient.Open(CliTool.DemoModel, Plain);
        NotSupportedException error = await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync(Messages, options, TestContext.Current.CancellationToken));
        Assert.Contains(name, error.Message);
    }

    [Fact]
    public async Task Bad_values_contents_and_conversations_are_refused()
    {
        using CatsChatClient client = CatsChatClient.Open(CliTool.DemoModel, Plain with { ChatTemplate = ChatTemplate.Parse("{{ raise_exception('no') }}") });
        Assert.Contains("no", (await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync("x"))).Message);
        ChatMessage image = new(ChatRole.User, [new DataContent(new byte[] { 1 }, "image/png")]);
        Assert.Contains("DataContent", (await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync(image))).Message);
        using CatsChatClient other = CatsChatClient.Open(CliTool.DemoModel, Plain);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => other.GetResponseAsync("x", new ChatOptions { TopP = 2 }));
        Assert.Contains("ChatOptions.MaxOutputTokens is 0;", (await Assert.ThrowsAsync<ArgumentException>(() => other.GetResponseAsync("x", new ChatOptions { MaxOutputTokens = 0 }))).Message);
        Assert.Contains("no chat template", Assert.Throws<ArgumentException>(() => CatsChatClient.Open(CliTool.DemoModel)).Message);
    }

    [Fact]
    public async Task Cancelling_ends_an_answer()
    {
        using CatsChatClient client = CatsChatClient.Open(CliTool.DemoModel, Plain);
        using CancellationTokenSource stop = new();
        int updates = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(Messages, new ChatOptions { MaxOutputTokens = 1500 }, stop.Token))
            {
                updates++;
                await stop.CancelAsync();
            }
        });
        Assert.InRange(updates, 1, 50);
        Assert.Equal(2, (await client.GetResponseAsync(Messages, new ChatOptions { MaxOutputTokens = 2 }, TestContext.Current.CancellationToken)).Usage!.OutputTokenCount);
    }

    [Fact]
    public async Task Functions_are_called_and_answers_cached_by_Microsofts_middleware()
    {
        using TokenGenerator generator = TokenGenerator.Open(CliTool.DemoModel);
        ScriptedSampler model = new(
            generator.Tokenizer,
            "Let me see. <tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Ulm\", \"days\": 2}}\n</tool_call>",
            "It rains in Ulm.");
        CatsChatClientOptions options = new()
        {
            ChatTemplate = ChatTemplate.Parse(File.ReadAllText(SharedFiles.Find("chat-templates", "qwen-2.5.jinja")!), generator.Tokenizer),
            Generation = new GenerationOptions { MaxNewTokens = 300, Sampler = model },
        };
        using IChatClient client = new CatsChatClient(generator, options).AsBuilder()
            .UseDistributedCache(new MemoryDistributedCache(Options.Create(new MemoryDistributedCacheOptions())))
            .UseFunctionInvocation()
            .Build();
        List<(string, int)> called = [];
        AIFunction weather = AIFunctionFactory.Create(
            ([Description("Where.")] string city, int days) =>
            {
                called.Add((city, days));
                return new { sky = "rain", city };
            },
            "weather",
            "Tells the weather.");
        ChatOptions tools = new() { Tools = [weather] };

        ChatResponse response = await client.GetResponseAsync("Weather in Ulm?", tools, TestContext.Current.CancellationToken);
        Assert.Equal([("Ulm", 2)], called);
        Assert.Equal("It rains in Ulm.", response.Messages[^1].Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        Assert.Equal("Let me see. ", response.Messages[0].Text);
        FunctionCallContent call = response.Messages[0].Contents.OfType<FunctionCallContent>().Single();
        Assert.Matches("^[0-9a-z]{9}$", call.CallId);
        Assert.Equal(2, model.Prompts.Count);
        Assert.Contains("<tools>\n{\"type\": \"function\", \"function\": {\"name\": \"weather\", \"description\": \"Tells the weather.\", \"parameters\": {", model.Prompts[0]);
        Assert.EndsWith("<|im_start|>user\nWeather in Ulm?<|im_end|>\n<|im_start|>assistant\n", model.Prompts[0]);
        Assert.StartsWith(model.Prompts[0][..^22], model.Prompts[1]);
        Assert.EndsWith(
            "<|im_start|>assistant\nLet me see. \n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Ulm\", \"days\": 2}}\n</tool_call><|im_end|>\n"
            + "<|im_start|>user\n<tool_response>\n{\"sky\":\"rain\",\"city\":\"Ulm\"}\n</tool_response><|im_end|>\n<|im_start|>assistant\n",
            model.Prompts[1]);

        // The same question again: the answer comes from the cache, neither model nor function is asked.
        ChatResponse again = await client.GetResponseAsync("Weather in Ulm?", tools, TestContext.Current.CancellationToken);
        Assert.Equal(response.Text, again.Text);
        Assert.Single(called);
        Assert.Equal(2, model.Prompts.Count);
    }

    [Fact]
    public void Services_are_found_by_type()
    {
        using CatsChatClient client = CatsChatClient.Open(CliTool.DemoModel, new CatsChatClientOptions { ChatTemplate = ChatTemplate.Parse("x") });
        IChatClient wrapped = client.AsBuilder().UseFunctionInvocation().Build();
        Assert.Same(client, wrapped.GetService<CatsChatClient>());
        Assert.Same(client.Generator, wrapped.GetService<TokenGenerator>());
        Assert.Same(client.Generator.Session, wrapped.GetService<ModelSession>());
        Assert.Same(client.Generator.Tokenizer, wrapped.GetService<TextTokenizer>());
        Assert.Null(client.GetService(typeof(string)));
        Assert.Null(client.GetService(typeof(CatsChatClient), "key"));
        ChatClientMetadata metadata = wrapped.GetService<ChatClientMetadata>()!;
        Assert.Equal(("catsonnx", "demo"), (metadata.ProviderName, metadata.DefaultModelId));
    }
}
