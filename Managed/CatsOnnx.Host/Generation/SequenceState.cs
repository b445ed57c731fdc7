// SPDX-License-Identifier: MIT
// One sequence while it is generated: its tokens, text, end, sampler and times.
using System.Diagnostics;
using System.Text;
using CatsOnnx.Sampling;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Generation;

/// <summary>A sequence that goes on from a prompt.</summary>
internal sealed class SequenceState
{
    private readonly GenerationOptions _options;
    private readonly TextTokenizer _tokenizer;
    private readonly HashSet<int> _stopTokens;
    private readonly Action<GeneratedToken>? _onToken;
    private readonly StreamingDecoder _decoder;
    private readonly StopStringFilter _filter;
    private readonly List<int> _ids;
    private readonly StringBuilder _text = new();
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _first;
    private long _last;

    /// <param name="tokenizer">Makes the text.</param>
    /// <param name="prompt">Token ids.</param>
    /// <param name="options">How it ends, how tokens are chosen.</param>
    /// <param name="stopTokens">Ids that end it.</param>
    /// <param name="maxNewTokens">As many as the options and the model's context allow.</param>
    /// <param name="counter">Counts its active neurons.</param>
    /// <param name="onToken">Gets its tokens.</param>
    public SequenceState(
        TextTokenizer tokenizer, int[] prompt, GenerationOptions options, HashSet<int> stopTokens, int maxNewTokens, ActiveCounter counter, Action<GeneratedToken>? onToken)
    {
        _tokenizer = tokenizer;
        _options = options;
        _stopTokens = stopTokens;
        _onToken = onToken;
        Prompt = prompt;
        MaxNewTokens = maxNewTokens;
        Counter = counter;
        Probing = new DenseProbing(options.DenseProbeEvery);
        _decoder = tokenizer.CreateStreamingDecoder();
        if (prompt.Any(id => id < tokenizer.VocabularySize && !tokenizer.IsSpecial(id)))
        {
            _decoder.ContinueText();
        }

        _filter = new StopStringFilter(options.StopStrings);
        _ids = new List<int>(Math.Min(maxNewTokens, 4096));
        ISampler sampler = options.Sampling is null ? options.Sampler : SamplerChain.Of(options.Sampling);
        Sampler = sampler is Greedy ? sampler : new TextSampler(sampler, prompt, _ids);
    }

    /// <summary>Its place among the request's prompts.</summary>
    public int Index { get; init; }

    /// <summary>The prompt.</summary>
    public int[] Prompt { get; }

    /// <summary>Tokens generated at most.</summary>
    public int MaxNewTokens { get; }

    /// <summary>The tokens so far; it grows.</summary>
    public List<int> Ids => _ids;

    /// <summary>The last token.</summary>
    public int Last => _ids[^1];

    /// <summary>Chooses its tokens, with a state of its own.</summary>
    public ISampler Sampler { get; }

    /// <summary>Counts its active neurons.</summary>
    public ActiveCounter Counter { get; }

    /// <summary>Its dense probes.</summary>
    public DenseProbing Probing { get; }

    /// <summary>Tokens of the prompt that the cache held.</summary>
    public int CachedTokens { get; set; }

    /// <summary>Why it ended; null while it goes on.</summary>
    public FinishReason? Reason { get; private set; }

    /// <summary>Takes the next token.</summary>
    /// <returns>Whether the sequence goes on.</returns>
    public bool Add(int token)
    {
        _last = Stopwatch.GetTimestamp();
        _first = _ids.Count == 0 ? _last : _first;
        _ids.Add(token);

        // An id that the tokenizer does not know (padding of the vocabulary) has no text.
        ReadOnlySpan<char> piece = token < _tokenizer.VocabularySize ? _decoder.Next(token) : default;
        Give(token, _filter.Append(piece), Probing.Last);
        Reason = _filter.Stopped ? FinishReason.StopString
            : _stopTokens.Contains(token) ? FinishReason.StopToken
            : _ids.Count < MaxNewTokens ? null
            : MaxNewTokens < _options.MaxNewTokens ? FinishReason.ContextFull
            : FinishReason.MaxNewTokens;
        return Reason is null;
    }

    /// <summary>Gives the text that was held back, and the result of a sequence that has ended.</summary>
    /// <param name="decodeRun">Ticks that ONNX Runtime took to decode; null where they were shared.</param>
    public GenerationResult Finish(long? decodeRun = null)
    {
        string rest = _filter.Append(_decoder.Finish()) + (_filter.Stopped ? "" : _filter.Finish());
        if (rest.Length > 0)
        {
            Give(null, rest, null);
        }

        FinishReason reason = _filter.Stopped ? FinishReason.StopString
            : Reason ?? throw new InvalidOperationException("The sequence has not ended.");
        ProbeStatistics? probes = Probing.Statistics;
        TimeSpan decode = Stopwatch.GetElapsedTime(_first, _last) - (probes?.Elapsed ?? TimeSpan.Zero);
        return new GenerationResult([.. _ids], _text.ToString(), reason, new GenerationStatistics(
            Prompt.Length, _ids.Count, Stopwatch.GetElapsedTime(_start, _first), decode, Counter.Sparsity)
        {
            CachedTokens = CachedTokens,
            DecodeRun = decodeRun is long ticks ? Stopwatch.GetElapsedTime(0, ticks) : null,
            Probes = probes,
        });
    }

    private void Give(int? id, string certain, DenseProbe? probe)
    {
        _text.Append(certain);
        _onToken?.Invoke(new GeneratedToken(id, certain) { Probe = probe });
    }
}
