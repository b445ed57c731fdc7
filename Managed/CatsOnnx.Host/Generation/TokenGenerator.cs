// SPDX-License-Identifier: MIT
// Generates text: prefill, then one token after another, with a preallocated cache, on one thread.
using System.Threading.Channels;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Session;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Generation;

/// <summary>How a generator is made.</summary>
public sealed record TokenGeneratorOptions
{
    /// <summary>How past and present keys and values share memory.</summary>
    public CacheLayout CacheLayout { get; init; }

    /// <summary>The most prompt tokens of one run; longer prompts take several. Bounds the memory of the logits.</summary>
    public int PrefillChunk { get; init; } = 512;

    /// <summary>Whether decoding on a GPU may replay a CUDA graph, where the session can (<see cref="ModelSession.UsesCudaGraph"/>).</summary>
    public bool CudaGraph { get; init; } = true;

    /// <summary>Outputs with the active neurons of an MLP, and its intermediate size; empty: sparsity is not measured.</summary>
    public IReadOnlyDictionary<string, int> ActiveOutputs { get; init; } = new Dictionary<string, int>();

    /// <summary>Options that measure the sparsity of a session opened by
    /// <see cref="ModelSession.OpenCounting(ModelFolder, out IReadOnlyList{ActiveCount}, ModelSessionOptions?)"/>.</summary>
    /// <param name="counts">Its outputs of active neurons.</param>
    public static TokenGeneratorOptions Counting(IReadOnlyList<ActiveCount> counts) =>
        new() { ActiveOutputs = counts.ToDictionary(count => count.Output, count => count.IntermediateSize) };
}

/// <summary>Generates text with a model. Requests from several threads run one after another.</summary>
public sealed partial class TokenGenerator : IDisposable
{
    private readonly TokenGeneratorOptions _options;
    private readonly GenerationThread _thread = new();
    private readonly CancellationTokenSource _disposed = new();
    private readonly bool _ownsSession;
    private DecodeStep? _step;
    private int[] _lastPrompt = []; // of the request before, whose tokens the cache may hold
    private List<int> _lastAnswer = [];
    private ThresholdScales _lastScales;
    private int _disposing;

    /// <summary>A generator on a session and its tokenizer; both must outlive it.</summary>
    /// <param name="session">The model.</param>
    /// <param name="tokenizer">Its tokenizer: ids below the model's vocab_size.</param>
    /// <param name="options">Cache, prefill and counts, or null for the default ones.</param>
    public TokenGenerator(ModelSession session, TextTokenizer tokenizer, TokenGeneratorOptions? options = null)
        : this(session, tokenizer, options, ownsSession: false)
    {
    }

    private TokenGenerator(ModelSession session, TextTokenizer tokenizer, TokenGeneratorOptions? options, bool ownsSession)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(tokenizer);
        _options = options ?? new TokenGeneratorOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.PrefillChunk, 1, nameof(options));
        Session = session;
        Tokenizer = tokenizer;
        _ownsSession = ownsSession;
    }

    /// <summary>The model.</summary>
    public ModelSession Session { get; }

    /// <summary>Its tokenizer.</summary>
    public TextTokenizer Tokenizer { get; }

    /// <summary>Opens a model folder (or .onnx file) with its tokenizer; disposing the generator closes both.</summary>
    /// <param name="path">A folder in one of the layouts, or an .onnx file.</param>
    /// <param name="options">Options of the session, or null for the default ones.</param>
    /// <param name="measureSparsity">Whether the active neurons of a rewritten model are counted in decoding, for
    /// <see cref="GenerationStatistics.Sparsity"/>. The graph gets the outputs in memory; the file stays as it is.</param>
    /// <exception cref="FileNotFoundException">There is no model or no tokenizer; the message names what was looked for.</exception>
    /// <exception cref="InvalidDataException">A file cannot be read; the message names it.</exception>
    public static TokenGenerator Open(string path, ModelSessionOptions? options = null, bool measureSparsity = false)
    {
        ModelFolder folder = ModelFolder.Open(path);
        TextTokenizer tokenizer = folder.LoadTokenizer();
        if (measureSparsity && CatsDomain.IsImported(folder.ModelPath))
        {
            ModelSession session = ModelSession.OpenCounting(folder, out IReadOnlyList<ActiveCount> counts, options);
            return new TokenGenerator(session, tokenizer, TokenGeneratorOptions.Counting(counts), ownsSession: true);
        }

        return new TokenGenerator(ModelSession.Open(folder, options), tokenizer, null, ownsSession: true);
    }

    /// <summary>Generates text that goes on from a prompt.</summary>
    /// <param name="prompt">The prompt; bos goes before it where the tokenizer says so.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <param name="onToken">Called for each token, on the generator's thread.</param>
    /// <param name="cancellationToken">Ends the request within the time of one token.</param>
    /// <returns>The tokens after the prompt, at most <see cref="GenerationOptions.MaxNewTokens"/>, their text, and times.</returns>
    /// <exception cref="ArgumentException">The prompt is too long for the model, or an option is out of range.</exception>
    /// <exception cref="OperationCanceledException">The request was cancelled, or the generator disposed.</exception>
    public GenerationResult Generate(
        string prompt, GenerationOptions? options = null, Action<GeneratedToken>? onToken = null, CancellationToken cancellationToken = default) =>
        Generate(Encode(prompt), options, onToken, cancellationToken);

    /// <summary>Generates from a prompt of token ids.</summary>
    /// <inheritdoc cref="Generate(string, GenerationOptions?, Action{GeneratedToken}?, CancellationToken)"/>
    /// <param name="promptIds">[tokens], at least one, each 0 to vocab_size - 1, bos among them where the model wants it.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <param name="onToken">Called for each token, on the generator's thread.</param>
    /// <param name="cancellationToken">Ends the request within the time of one token.</param>
    public GenerationResult Generate(
        int[] promptIds, GenerationOptions? options = null, Action<GeneratedToken>? onToken = null, CancellationToken cancellationToken = default)
    {
        Request request = Check(promptIds, options);
        return Start(token => Run(request, onToken, token), cancellationToken).GetAwaiter().GetResult();
    }

    /// <summary>Generates text and gives it token by token.</summary>
    /// <inheritdoc cref="Generate(string, GenerationOptions?, Action{GeneratedToken}?, CancellationToken)"/>
    /// <returns>Tokens as they come, each with its text; <see cref="GenerationStream.Completion"/> has the whole result.</returns>
    public GenerationStream Stream(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Stream(Encode(prompt), options, cancellationToken);

    /// <summary>The same from a prompt of token ids.</summary>
    /// <inheritdoc cref="Generate(string, GenerationOptions?, Action{GeneratedToken}?, CancellationToken)"/>
    /// <param name="promptIds">[tokens], at least one, each 0 to vocab_size - 1, bos among them where the model wants it.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <param name="cancellationToken">Ends the request within the time of one token.</param>
    /// <returns>Tokens as they come, each with its text; <see cref="GenerationStream.Completion"/> has the whole result.</returns>
    public GenerationStream Stream(int[] promptIds, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        Request request = Check(promptIds, options);
        Channel<GeneratedToken> channel = Channel.CreateUnbounded<GeneratedToken>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        CancellationTokenSource stop = new(); // for a reader that leaves early
        Task<GenerationResult> completion = Start(
            stopping => Run(request, token => channel.Writer.TryWrite(token), stopping), cancellationToken, stop.Token);
        completion.ContinueWith(_ => channel.Writer.TryComplete(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return new GenerationStream(channel.Reader, completion, stop);
    }

    /// <summary>Ends the request that runs, and frees the cache.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposing, 1) != 0)
        {
            return;
        }

        _disposed.Cancel();
        _thread.Dispose();
        _step?.Dispose();
        if (_ownsSession)
        {
            Session.Dispose();
        }
    }

    private sealed record Request(int[] Ids, GenerationOptions Options, HashSet<int> StopTokens, int MaxNewTokens);

    private int[] Encode(string prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        int[] ids = Tokenizer.Encode(prompt, addSpecialTokens: true);
        return ids.Length > 0 || Session.Config.BosTokenId is not int bos ? ids : [bos];
    }

    // Everything that can be refused is refused here, before any tensor is made.
    private Request Check(int[] promptIds, GenerationOptions? options)
    {
        ArgumentNullException.ThrowIfNull(promptIds);
        ObjectDisposedException.ThrowIf(_disposing != 0, this);
        options ??= new GenerationOptions();
        options.Check();
        if (promptIds.Length == 0)
        {
            throw new ArgumentException("The prompt has no tokens, and the model names no bos token to begin with.", nameof(promptIds));
        }

        int context = Session.Config.ContextLength ?? int.MaxValue;
        if (promptIds.Length >= context)
        {
            throw new ArgumentException($"The prompt has {promptIds.Length} tokens; the model's context of {context} has no room for an answer.", nameof(promptIds));
        }

        TokenTensors.CheckIds(promptIds, Session.Signature.VocabSize);
        CheckDial(options);

        HashSet<int> stop = options.StopTokens is not null ? [.. options.StopTokens]
            : Tokenizer.EosId is int eos ? [.. Session.Config.EosTokenIds, eos] : [.. Session.Config.EosTokenIds];
        return new Request(promptIds, options, stop, Math.Min(options.MaxNewTokens, context - promptIds.Length));
    }

    private Task<T> Start<T>(Func<CancellationToken, T> run, CancellationToken cancellationToken, CancellationToken readerLeft = default)
    {
        TaskCompletionSource<T> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _thread.Post(() =>
        {
            try
            {
                using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, readerLeft, _disposed.Token);
                completion.SetResult(run(either.Token));
            }
            catch (OperationCanceledException)
            {
                completion.SetCanceled(cancellationToken.IsCancellationRequested ? cancellationToken
                    : readerLeft.IsCancellationRequested ? readerLeft : _disposed.Token);
            }
            catch (Exception error)
            {
                completion.SetException(error);
            }
        });
        return completion.Task;
    }

    private GenerationResult Run(Request request, Action<GeneratedToken>? onToken, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using ModelSession.Usage use = Session.Use();
        SequenceState sequence = NewSequence(request, 0, onToken);
        ThresholdScales scales = ThresholdScales.Of(request.Options);
        _step ??= MakeStep();
        int kept = request.Options.ReusePrefix && scales == _lastScales ? SharedPrefix(request.Ids) : 0;
        _lastPrompt = [.. request.Ids]; // the caller may change its own
        _lastAnswer = sequence.Ids;
        _lastScales = scales;
        kept = _step.Resume(kept, request.Ids.Length + request.MaxNewTokens - 1, scales.Prefill);
        sequence.CachedTokens = kept;
        _step.MayRunAhead = scales.AreOne && !sequence.Probing.IsNext;
        int next = _step.Choose(request.Ids.AsSpan(kept), sequence.Sampler, cancellationToken);
        long prefilled = _step.RunTicks;
        if (!scales.AreOne)
        {
            _step.SetScale(scales.Decode);
        }

        while (sequence.Add(next))
        {
            cancellationToken.ThrowIfCancellationRequested(); // the callback may have ended the request or the generator
            next = sequence.Probing.Choose(_step, next, sequence.Sampler, cancellationToken);
            _step.CountActive(sequence.Counter);
        }

        return sequence.Finish(_step.RunTicks - prefilled);
    }

    private SequenceState NewSequence(Request request, int index, Action<GeneratedToken>? onToken) =>
        new(Tokenizer, request.Ids, request.Options, request.StopTokens, request.MaxNewTokens, new ActiveCounter(_options.ActiveOutputs), onToken) { Index = index };

    private DecodeStep MakeStep() => Session.Signature.HasCache ? new CachedDecodeStep(Session, _options) : new RecomputeStep(Session);

    // How many tokens of a prompt the request before began with; at least one is left to run, for its logits.
    private int SharedPrefix(int[] ids)
    {
        int most = Math.Min(ids.Length - 1, _lastPrompt.Length + _lastAnswer.Count);
        int shared = ids.AsSpan(0, Math.Min(most, _lastPrompt.Length)).CommonPrefixLength(_lastPrompt);
        if (shared == _lastPrompt.Length)
        {
            shared += ids.AsSpan(shared, most - shared).CommonPrefixLength(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_lastAnswer));
        }

        return shared;
    }
}
