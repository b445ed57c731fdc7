// SPDX-License-Identifier: MIT
// services.AddCats(...): a model as a service, opened when it is first asked for.
using System.Diagnostics;
using CatsOnnx.Chat;
using CatsOnnx.DependencyInjection;
using CatsOnnx.Generation;
using CatsOnnx.Session;
using CatsOnnx.Tokenization;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds CATS models to an application.</summary>
public static partial class CatsServiceCollectionExtensions
{
    /// <summary>Adds a model: <see cref="TokenGenerator"/>, <see cref="CatsChatClient"/> and, where no other is there,
    /// <see cref="IChatClient"/>, each once for the application. The model is opened when it is first asked for; options are
    /// checked then, and when a host starts.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Says which model; null where <see cref="CatsOptions"/> are configured elsewhere.</param>
    public static IServiceCollection AddCats(this IServiceCollection services, Action<CatsOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        OptionsBuilder<CatsOptions> options = services.AddOptions<CatsOptions>().ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<CatsOptions>, CatsOptionsValidator>());
        services.TryAddSingleton(Open);
        services.TryAddSingleton(MakeClient);
        services.TryAddSingleton<IChatClient>(provider => provider.GetRequiredService<CatsChatClient>());
        return services;
    }

    /// <summary>Adds the model of a folder.</summary>
    /// <inheritdoc cref="AddCats(IServiceCollection, Action{CatsOptions}?)"/>
    /// <param name="services">The application's services.</param>
    /// <param name="modelPath">A model folder, or an .onnx file.</param>
    public static IServiceCollection AddCats(this IServiceCollection services, string modelPath) =>
        services.AddCats(options => options.ModelPath = modelPath);

    private static TokenGenerator Open(IServiceProvider provider)
    {
        CatsOptions options = provider.GetRequiredService<IOptions<CatsOptions>>().Value;
        ILogger log = Log(provider);
        long start = Stopwatch.GetTimestamp();
        TokenGenerator generator;
        try
        {
            generator = TokenGenerator.Open(
                options.ModelPath, new ModelSessionOptions { Device = Device.Parse(options.Device), Threads = options.Threads }, options.MeasureSparsity);
        }
        catch (Exception error)
        {
            LogFailed(log, options.ModelPath, error);
            throw;
        }

        ModelSession session = generator.Session;
        LogOpened(
            log, session.Folder.ModelPath, session.Folder.Layout, options.Device, session.Signature.ThresholdScale is null ? "dense" : "rewritten",
            session.Signature.VocabSize, session.Config.ContextLength, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        return generator;
    }

    private static CatsChatClient MakeClient(IServiceProvider provider)
    {
        CatsOptions options = provider.GetRequiredService<IOptions<CatsOptions>>().Value;
        TokenGenerator generator = provider.GetRequiredService<TokenGenerator>();
        TextTokenizer tokenizer = generator.Tokenizer;
        return new CatsChatClient(generator, new CatsChatClientOptions
        {
            ChatTemplate = options.ChatTemplate is string text ? ChatTemplate.Parse(text, tokenizer) : null,
            ModelId = options.ModelId,
            Generation = new GenerationOptions
            {
                MaxNewTokens = options.MaxOutputTokens,
                ThresholdScale = options.ThresholdScale,
                PrefillThresholdScale = options.PrefillThresholdScale,
                DenseProbeEvery = options.DenseProbeEvery,
                ReusePrefix = true,
            },
        });
    }

    private static ILogger Log(IServiceProvider provider) =>
        provider.GetService<ILoggerFactory>()?.CreateLogger("CatsOnnx") ?? NullLogger.Instance;

    [LoggerMessage(1, LogLevel.Information, "Opened {Model} ({Layout}) on {Device}: {Kind}, vocabulary {Vocabulary}, context {Context}, in {Milliseconds:F0} ms")]
    private static partial void LogOpened(ILogger log, string model, ModelLayout layout, string device, string kind, int vocabulary, int? context, double milliseconds);

    [LoggerMessage(2, LogLevel.Error, "Could not open {Model}")]
    private static partial void LogFailed(ILogger log, string model, Exception error);
}
