// SPDX-License-Identifier: MIT
// The part of TokenGenerator that generates from several prompts at once.
using System.Diagnostics;
using CatsOnnx.Sampling;
using CatsOnnx.Session;

namespace CatsOnnx.Generation;

public sealed partial class TokenGenerator
{
    private BatchPadding? _padding; // found when sequences of unequal length first come

    /// <summary>
    /// Generates from several prompts at once, of any lengths. Each gets the tokens that it gets alone, and ends by itself (on a GPU the last
    /// bits of logits depend on how many sequences run together, so that a near tie may fall the other way). A run of the
    /// model gives every sequence a token, so that its weights are read once for all of them; prompts are run one by one.
    /// Graphs that cannot take sequences of unequal length together run those of equal length together, group after group;
    /// <see cref="BatchResult.GroupsReason"/> says why.
    /// </summary>
    /// <param name="prompts">The prompts; bos goes before each where the tokenizer says so.</param>
    /// <param name="options">Options of every prompt, or null for the default ones. Each sequence draws with a state of its own, which begins
    /// at the seed.</param>
    /// <param name="onToken">Called for each token with the prompt's index, on the generator's thread.</param>
    /// <param name="cancellationToken">Ends the whole request within the time of one token.</param>
    /// <returns>A result for each prompt, in their order, and how they were run.</returns>
    /// <exception cref="ArgumentException">There are no prompts, one cannot run (the message names its index), their threshold scales differ, or
    /// they share a sampler that is not greedy.</exception>
    /// <exception cref="OperationCanceledException">The request was cancelled, or the generator disposed.</exception>
    public BatchResult GenerateBatch(
        IReadOnlyList<string> prompts, GenerationOptions? options = null, Action<int, GeneratedToken>? onToken = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        return GenerateBatch([.. prompts.Select(prompt => new BatchPrompt(Encode(prompt), options))], onToken, cancellationToken);
    }

    /// <summary>The same from prompts of token ids, bos among them where the model wants it.</summary>
    /// <inheritdoc cref="GenerateBatch(IReadOnlyList{string}, GenerationOptions?, Action{int, GeneratedToken}?, CancellationToken)"/>
    public BatchResult GenerateBatch(
        IReadOnlyList<int[]> prompts, GenerationOptions? options = null, Action<int, GeneratedToken>? onToken = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        return GenerateBatch([.. prompts.Select(prompt => new BatchPrompt(prompt, options))], onToken, cancellationToken);
    }

    /// <summary>The same with options of each prompt's own: seeds, ends, numbers of tokens.</summary>
    /// <inheritdoc cref="GenerateBatch(IReadOnlyList{string}, GenerationOptions?, Action{int, GeneratedToken}?, CancellationToken)"/>
    public BatchResult GenerateBatch(
        IReadOnlyList<BatchPrompt> prompts, Action<int, GeneratedToken>? onToken = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        Request[] requests = CheckBatch(prompts);
        return Start(token => RunBatch(requests, onToken, token), cancellationToken).GetAwaiter().GetResult();
    }

    private Request[] CheckBatch(IReadOnlyList<BatchPrompt> prompts)
    {
        if (prompts.Count == 0)
        {
            throw new ArgumentException("There are no prompts.", nameof(prompts));
        }

        Request[] requests = new Request[prompts.Count];
        Dictionary<ISampler, int> samplers = new(ReferenceEqualityComparer.Instance);
        for (int i = 0; i < requests.Length; i++)
        {
            try
            {
                ArgumentNullException.ThrowIfNull(prompts[i]);
                requests[i] = Check(prompts[i].Ids, prompts[i].Options);
            }
            catch (ArgumentException error)
            {
                throw new ArgumentException($"prompts[{i}]: {error.Message}", nameof(prompts), error);
            }

            GenerationOptions options = requests[i].Options;
            if (ThresholdScales.Of(options) is ThresholdScales own && ThresholdScales.Of(requests[0].Options) is ThresholdScales first && own != first)
            {
                throw new ArgumentException($"prompts[{i}] has the {own}, prompts[0] has the {first}: sequences that run together have one.", nameof(prompts));
            }

            if (options.DenseProbeEvery > 0)
            {
                throw new ArgumentException(
                    $"prompts[{i}] has {nameof(options.DenseProbeEvery)} = {options.DenseProbeEvery}, but batches are not probed: generate it alone.", nameof(prompts));
            }

            if (options.Sampling is null && options.Sampler is not Greedy && !samplers.TryAdd(options.Sampler, i))
            {
                throw new ArgumentException(
                    $"prompts[{samplers[options.Sampler]}] and prompts[{i}] have one {options.Sampler.GetType().Name} as sampler, whose state they would mix: give each prompt its own, or use Sampling.",
                    nameof(prompts));
            }
        }

        return requests;
    }

    private BatchResult RunBatch(Request[] requests, Action<int, GeneratedToken>? onToken, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using ModelSession.Usage use = Session.Use();
        long start = Stopwatch.GetTimestamp();
        int[] all = [.. Enumerable.Range(0, requests.Length)];
        int[][] groups = [all];
        string? reason = null;
        bool equal = requests.All(request => request.Ids.Length == requests[0].Ids.Length);
        if (!Session.Signature.HasCache || !equal)
        {
            _padding ??= BatchPadding.Of(Session);
            if (requests.Length > 1 && _padding.Refusal is not null)
            {
                reason = _padding.Refusal;
                groups = [.. Session.Signature.HasCache ? all.GroupBy(i => requests[i].Ids.Length).Select(group => group.ToArray()) : all.Select(i => new[] { i })];
            }
        }

        GenerationResult[] results = new GenerationResult[requests.Length];
        foreach (int[] group in groups)
        {
            if (group.Length == 1)
            {
                int alone = group[0];
                results[alone] = Run(requests[alone], onToken is null ? null : token => onToken(alone, token), cancellationToken);
                continue;
            }

            GenerationResult[] together = RunTogether(requests, group, onToken, equal ? PaddingSide.Left : _padding!.Side, cancellationToken);
            for (int i = 0; i < group.Length; i++)
            {
                results[group[i]] = together[i];
            }
        }

        return new BatchResult(results, Stopwatch.GetElapsedTime(start), groups.Length, reason);
    }

    private GenerationResult[] RunTogether(
        Request[] requests, int[] group, Action<int, GeneratedToken>? onToken, PaddingSide side, CancellationToken cancellationToken)
    {
        ThresholdScales scales = ThresholdScales.Of(requests[0].Options);
        SequenceState[] sequences = [.. group.Select(i => NewSequence(requests[i], i, onToken is null ? null : token => onToken(i, token)))];
        CachedDecodeStep step = (CachedDecodeStep)(_step ??= MakeStep());
        return new BatchGeneration(Session, _options.ActiveOutputs.Keys, side, scales.Decode).Run(sequences, Prefill, cancellationToken);

        // Prompts are run one by one: no padding is computed, GroupQueryAttention takes a prompt in pieces only alone, and
        // what the cache has of the prompt before may be reused.
        (int, KvCache) Prefill(SequenceState sequence)
        {
            int kept = requests[sequence.Index].Options.ReusePrefix && scales == _lastScales ? SharedPrefix(sequence.Prompt) : 0;
            _lastPrompt = [.. sequence.Prompt];
            _lastAnswer = [];
            _lastScales = scales;
            sequence.CachedTokens = step.Resume(kept, sequence.Prompt.Length, scales.Prefill);
            return (step.Choose(sequence.Prompt.AsSpan(sequence.CachedTokens), sequence.Sampler, cancellationToken), step.Cache);
        }
    }
}
