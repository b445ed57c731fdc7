// SPDX-License-Identifier: MIT
// A model as an IChatClient of Microsoft.Extensions.AI, for its middleware (function invocation, caching, telemetry) and for
// everything that is built on it.
using System.Runtime.CompilerServices;
using CatsOnnx.Generation;
using CatsOnnx.Session;
using CatsOnnx.Tokenization;
using Microsoft.Extensions.AI;

namespace CatsOnnx.Chat;

/// <summary>Holds conversations with a model. Safe to use from several threads; requests run one after another.</summary>
public sealed class CatsChatClient : IChatClient
{
    private readonly CatsChatClientOptions _options;
    private readonly bool _ownsGenerator;
    private readonly ChatClientMetadata _metadata;

    /// <summary>A client on a generator, which must outlive it.</summary>
    /// <param name="generator">Generates the answers.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <exception cref="ArgumentException">Neither the options nor the model's folder have a chat template.</exception>
    /// <exception cref="NotSupportedException">The folder's template uses a part of Jinja that is not known; the message names it.</exception>
    /// <exception cref="InvalidDataException">The folder's template is wrong.</exception>
    public CatsChatClient(TokenGenerator generator, CatsChatClientOptions? options = null)
        : this(generator, options, ownsGenerator: false)
    {
    }

    private CatsChatClient(TokenGenerator generator, CatsChatClientOptions? options, bool ownsGenerator)
    {
        ArgumentNullException.ThrowIfNull(generator);
        _options = options ?? new CatsChatClientOptions();
        Generator = generator;
        _ownsGenerator = ownsGenerator;
        ModelFolder folder = generator.Session.Folder;
        ChatTemplate = _options.ChatTemplate
            ?? ChatTemplate.Find(folder.Root, generator.Tokenizer)
            ?? (folder.ModelDirectory == folder.Root ? null : ChatTemplate.Find(folder.ModelDirectory, generator.Tokenizer))
            ?? throw new ArgumentException($"'{folder.Root}' has no chat template ({ChatTemplate.Files}), so it may be no chat model: "
                + $"give one as {nameof(CatsChatClientOptions)}.{nameof(CatsChatClientOptions.ChatTemplate)}.", nameof(generator));
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder.Root));
        ModelId = _options.ModelId ?? name;
        _metadata = new ChatClientMetadata("catsonnx", new Uri(folder.ModelPath), ModelId);
    }

    /// <summary>Generates the answers.</summary>
    public TokenGenerator Generator { get; }

    /// <summary>Turns a conversation into the prompt.</summary>
    public ChatTemplate ChatTemplate { get; }

    /// <summary>What responses call the model.</summary>
    public string ModelId { get; }

    /// <summary>Opens a model folder; disposing the client closes it.</summary>
    /// <param name="path">A folder in one of the layouts, or an .onnx file.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <param name="session">Options of the session, or null for the default ones.</param>
    /// <inheritdoc cref="CatsChatClient(TokenGenerator, CatsChatClientOptions?)" path="/exception"/>
    /// <exception cref="FileNotFoundException">There is no model or no tokenizer; the message names what was looked for.</exception>
    public static CatsChatClient Open(string path, CatsChatClientOptions? options = null, ModelSessionOptions? session = null)
    {
        TokenGenerator generator = TokenGenerator.Open(path, session);
        try
        {
            return new CatsChatClient(generator, options, ownsGenerator: true);
        }
        catch
        {
            generator.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">The request asks for something that cannot be done; the message names the option.</exception>
    /// <exception cref="ArgumentException">The template refuses the conversation, an option is out of range, or the prompt is
    /// too long for the model.</exception>
    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    /// <inheritdoc/>
    /// <remarks>Updates with text have the <see cref="GeneratedToken"/> as RawRepresentation, so that dense probes can be shown while an answer grows.
    /// The last one has the answer's "cats.tokens_per_second" and, where they were measured, "cats.sparsity" (0 to 1), "cats.dense_probes"
    /// (their number), "cats.kl" (mean, in nats) and "cats.top1_agreement" (0 to 1) as additional properties.</remarks>
    /// <inheritdoc cref="GetResponseAsync" path="/exception"/>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);

        // Refused here, when the call is made, not when the answer is first read.
        GenerationOptions generation = ChatOptionsMapping.Map(options, this, _options.Generation, ModelId);
        IReadOnlyList<AITool> tools = options?.ToolMode is NoneChatToolMode || options?.Tools is null ? [] : [.. options.Tools];
        if (tools.Count > 0 && !ChatTemplate.SupportsTools)
        {
            throw new NotSupportedException($"ChatOptions.Tools is not supported: the chat template of '{ModelId}' has no place for tools.");
        }

        string prompt = ChatTemplate.Render(Conversation.Turns(messages, options?.Instructions), new ChatTemplateOptions
        {
            Tools = [.. tools.Select(Conversation.Tool)],
            Variables = _options.TemplateVariables,
        });
        int[] ids = Generator.Tokenizer.Encode(prompt);
        ToolCallReader? reader = tools.Count > 0 ? new ToolCallReader(tools.Select(tool => tool.Name).ToHashSet()) : null;
        return Answer(ids, generation, reader, cancellationToken);
    }

    /// <summary>Gives this client, its <see cref="Generator"/>, <see cref="ChatTemplate"/>, session, tokenizer, and
    /// <see cref="ChatClientMetadata"/>.</summary>
    /// <param name="serviceType">The type asked for.</param>
    /// <param name="serviceKey">Null: there are no services with a key.</param>
    /// <returns>The first of them that has the type; null where none has, or a key was given.</returns>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        object[] services = [this, _metadata, Generator, Generator.Session, Generator.Tokenizer, ChatTemplate];
        return serviceKey is null ? services.FirstOrDefault(serviceType.IsInstanceOfType) : null;
    }

    /// <summary>Closes the model, where the client opened it.</summary>
    public void Dispose()
    {
        if (_ownsGenerator)
        {
            Generator.Dispose();
        }
    }

    private async IAsyncEnumerable<ChatResponseUpdate> Answer(
        int[] ids, GenerationOptions generation, ToolCallReader? reader, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string id = Guid.NewGuid().ToString("N");
        DateTimeOffset created = DateTimeOffset.UtcNow;
        GenerationStream stream = Generator.Stream(ids, generation, cancellationToken);
        // An answer is a text of its own: the space that SentencePiece puts before a text is no part of it.
        int leading = Generator.Tokenizer.LeadingSpaces;
        await foreach (GeneratedToken token in stream.ConfigureAwait(false))
        {
            string text = leading > 0 && token.Text.StartsWith(' ') ? token.Text[1..] : token.Text;
            leading = token.Text.Length > 0 ? 0 : leading;
            text = reader is null ? text : reader.Append(text);
            if (text.Length > 0 || token.Probe is not null)
            {
                ChatResponseUpdate update = text.Length > 0 ? Update(new TextContent(text)) : Update();
                update.RawRepresentation = token; // with its dense probe
                yield return update;
            }
        }

        GenerationResult result = await stream.Completion.ConfigureAwait(false);
        (string rest, List<FunctionCallContent> calls) = reader?.Finish() ?? ("", []);
        if (rest.Length > 0)
        {
            yield return Update(new TextContent(rest));
        }

        if (calls.Count > 0)
        {
            yield return Update([.. calls]);
        }

        ChatResponseUpdate last = Update(new UsageContent(Usage(result.Statistics)));
        last.FinishReason = calls.Count > 0 ? ChatFinishReason.ToolCalls
            : result.Reason is FinishReason.StopToken or FinishReason.StopString ? ChatFinishReason.Stop
            : ChatFinishReason.Length;
        last.MessageId = null; // what follows is said of the response, not of its message
        last.AdditionalProperties = new AdditionalPropertiesDictionary { ["cats.tokens_per_second"] = result.Statistics.TokensPerSecond };
        if (result.Statistics.Sparsity is double sparsity)
        {
            last.AdditionalProperties["cats.sparsity"] = sparsity;
        }

        if (result.Statistics.Probes is ProbeStatistics probes)
        {
            last.AdditionalProperties["cats.dense_probes"] = probes.Count;
            last.AdditionalProperties["cats.kl"] = probes.Kl;
            last.AdditionalProperties["cats.top1_agreement"] = probes.Top1Agreement;
        }

        yield return last;

        ChatResponseUpdate Update(params AIContent[] contents) =>
            new(ChatRole.Assistant, contents) { ResponseId = id, MessageId = id, ModelId = ModelId, CreatedAt = created };
    }

    private static UsageDetails Usage(GenerationStatistics statistics) => new()
    {
        InputTokenCount = statistics.PromptTokens,
        CachedInputTokenCount = statistics.CachedTokens,
        OutputTokenCount = statistics.NewTokens,
        TotalTokenCount = statistics.PromptTokens + statistics.NewTokens,
    };
}
