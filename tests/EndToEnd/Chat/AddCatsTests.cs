// SPDX-License-Identifier: MIT
// services.AddCats: what an application gets, what is logged, and options that are refused before a model is opened.
using CatsOnnx.Chat;
using CatsOnnx.DependencyInjection;
using CatsOnnx.Generation;
using CatsOnnx.Tests.Support;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace CatsOnnx.Tests.EndToEnd.Chat;

public sealed class AddCatsTests
{
    [Fact]
    public async Task An_application_gets_its_model_as_a_chat_client()
    {
        RecordingLog log = new();
        ServiceCollection services = new();
        services.AddSingleton<ILoggerFactory>(log);
        services.AddCats(options =>
        {
            options.ModelPath = CliTool.DemoModel;
            options.ChatTemplate = "{{ bos_token }}{{ messages[0].content }}";
            options.ModelId = "tales";
            options.MaxOutputTokens = 12;
            options.Threads = 1;
        });
        TokenGenerator generator;
        await using (ServiceProvider provider = services.BuildServiceProvider())
        {
            IChatClient client = provider.GetRequiredService<IChatClient>();
            Assert.Same(client, provider.GetRequiredService<CatsChatClient>());
            generator = provider.GetRequiredService<TokenGenerator>();
            ChatResponse response = await client.GetResponseAsync("Once upon a time", cancellationToken: TestContext.Current.CancellationToken);
            Assert.Equal(generator.Generate("Once upon a time", new GenerationOptions { MaxNewTokens = 12 }).Text.TrimStart(' '), response.Text);
            Assert.Equal("tales", response.ModelId);
        }

        Assert.Throws<ObjectDisposedException>(() => generator.Generate("x"));
        string line = Assert.Single(log.Lines);
        Assert.StartsWith("Information: Opened ", line);
        Assert.Contains("dense, vocabulary 4096, context 2048", line);
    }

    [Fact]
    public async Task Scales_and_probes_of_the_options_hold_where_a_request_says_nothing()
    {
        using TemporaryFolder folder = new();
        ServiceCollection services = new();
        services.AddCats(options =>
        {
            options.ModelPath = RewrittenDemo.In(folder).Root;
            options.ChatTemplate = "{{ bos_token }}{{ messages[0].content }}";
            options.MaxOutputTokens = 12;
            options.PrefillThresholdScale = 0;
            options.ThresholdScale = 1.5f;
            options.DenseProbeEvery = 1;
        });
        await using ServiceProvider provider = services.BuildServiceProvider();
        ChatResponse response = await provider.GetRequiredService<IChatClient>().GetResponseAsync("Once upon a time", cancellationToken: TestContext.Current.CancellationToken);
        GenerationResult expected = provider.GetRequiredService<TokenGenerator>().Generate(
            "Once upon a time", new GenerationOptions { MaxNewTokens = 12, PrefillThresholdScale = 0, ThresholdScale = 1.5f, DenseProbeEvery = 1 });
        Assert.Equal(expected.Text.TrimStart(' '), response.Text);
        Assert.Equal(expected.Statistics.Probes!.Kl, response.AdditionalProperties!["cats.kl"]);
    }

    [Fact]
    public void An_applications_own_chat_client_stays()
    {
        ServiceCollection services = new();
        using CatsChatClient own = CatsChatClient.Open(CliTool.DemoModel, new CatsChatClientOptions { ChatTemplate = CatsOnnx.Tokenization.ChatTemplate.Parse("x") });
        services.AddSingleton<IChatClient>(own);
        services.AddCats(CliTool.DemoModel);
        using ServiceProvider provider = services.BuildServiceProvider();
        Assert.Same(own, provider.GetRequiredService<IChatClient>());
        Assert.NotNull(provider.GetRequiredService<TokenGenerator>()); // needs no chat template
        Assert.Contains("no chat template", Assert.Throws<ArgumentException>(provider.GetRequiredService<CatsChatClient>).Message);
    }

    [Fact]
    public void Wrong_options_are_all_named_before_a_model_is_opened()
    {
        ServiceCollection services = new();
        services.AddCats(options =>
        {
            options.Device = "tpu";
            options.Threads = -1;
            options.MaxOutputTokens = 0;
            options.ThresholdScale = float.NaN;
            options.PrefillThresholdScale = -2;
            options.DenseProbeEvery = -1;
            options.ChatTemplate = "{% include 'x' %}";
        });
        using ServiceProvider provider = services.BuildServiceProvider();
        string message = Assert.Throws<OptionsValidationException>(provider.GetRequiredService<IChatClient>).Message;
        foreach (string part in (string[])["ModelPath is missing", "Device 'tpu'", "Threads is -1", "MaxOutputTokens is 0", "CATS: ThresholdScale is NaN; it must be a finite number, 0 (dense) or more.", "PrefillThresholdScale is -2; it must be a finite number", "DenseProbeEvery is -1", "statement 'include'"])
        {
            Assert.Contains(part, message);
        }
    }

    [Fact]
    public void A_model_that_cannot_be_opened_is_logged()
    {
        RecordingLog log = new();
        ServiceCollection services = new();
        services.AddSingleton<ILoggerFactory>(log);
        services.AddCats(Path.GetTempPath());
        using ServiceProvider provider = services.BuildServiceProvider();
        Assert.ThrowsAny<Exception>(provider.GetRequiredService<TokenGenerator>);
        Assert.StartsWith("Error: Could not open", Assert.Single(log.Lines));
    }

    private sealed class RecordingLog : ILoggerFactory, ILogger
    {
        public List<string> Lines { get; } = [];

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Add($"{logLevel}: {formatter(state, exception)}");
    }
}
