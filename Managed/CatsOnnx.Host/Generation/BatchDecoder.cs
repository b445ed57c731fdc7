// SPDX-License-Identifier: MIT
// Several sequences of equal length, decoded in step on the calling thread: for batches and for measuring.
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Sampling;
using CatsOnnx.Session;

namespace CatsOnnx.Generation;

/// <summary>Runs sequences of equal length together, each with its own keys and values. Not thread-safe; a CUDA graph
/// belongs to the thread that calls.</summary>
public sealed class BatchDecoder : IDisposable
{
    private readonly ModelSession _session;
    private readonly CachedDecodeStep _step;
    private readonly ISampler _sampler;
    private readonly ActiveCounter _counter;

    /// <summary>A decoder on a session, which must outlive it.</summary>
    /// <param name="session">A model with a cache.</param>
    /// <param name="batch">Sequences.</param>
    /// <param name="options">Options, or null for the default ones. With
    /// <see cref="TokenGeneratorOptions.Counting(IReadOnlyList{ActiveCount})"/> active neurons are counted.</param>
    /// <param name="sampler">Chooses tokens; null for the most likely ones.</param>
    /// <exception cref="ArgumentException">The model has no cache.</exception>
    public BatchDecoder(ModelSession session, int batch, TokenGeneratorOptions? options = null, ISampler? sampler = null)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        if (!session.Signature.HasCache)
        {
            throw new ArgumentException($"'{session.Folder.ModelPath}' has no cache of keys and values.", nameof(session));
        }

        options ??= new TokenGeneratorOptions();
        _session = session;
        _sampler = sampler ?? Greedy.Instance;
        _counter = new ActiveCounter(options.ActiveOutputs);
        _step = new CachedDecodeStep(session, options, batch);
        Batch = batch;
    }

    /// <summary>Sequences.</summary>
    public int Batch { get; }

    /// <summary>Whether active neurons are counted now.</summary>
    public bool Counting { get; set; } = true;

    /// <summary>The share of neurons that the steps of one token skipped so far, or null where none was counted.</summary>
    public double? Sparsity => _counter.Sparsity;

    /// <summary>Begins new sequences.</summary>
    /// <param name="capacity">Tokens of each that will be run at most.</param>
    /// <param name="thresholdScale">Multiplies the thresholds of a rewritten model; null leaves them.</param>
    public void Begin(int capacity, float? thresholdScale = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _step.Begin(capacity, thresholdScale);
    }

    /// <summary>Runs the next tokens and chooses those that follow.</summary>
    /// <param name="ids">[batch, tokens]: sequence after sequence.</param>
    /// <param name="next">[batch]: the tokens that follow.</param>
    /// <param name="cancellationToken">Ends the run early.</param>
    /// <exception cref="ArgumentException">The ids are no whole sequences, or an id is not in the vocabulary.</exception>
    /// <exception cref="OperationCanceledException">The run was ended.</exception>
    public void Run(ReadOnlySpan<int> ids, Span<int> next, CancellationToken cancellationToken = default)
    {
        if (ids.Length == 0 || ids.Length % Batch != 0 || next.Length != Batch)
        {
            throw new ArgumentException($"{ids.Length} ids and {next.Length} results are not those of {Batch} sequences of equal length.", nameof(ids));
        }

        TokenTensors.CheckIds(ids, _session.Signature.VocabSize);
        using ModelSession.Usage use = _session.Use();
        _step.Choose(ids, _sampler, next, cancellationToken);
        if (Counting && ids.Length == Batch)
        {
            _step.CountActive(_counter);
        }
    }

    /// <summary>Waits for a step that the GPU was given ahead, so that what runs next is alone.</summary>
    public void Drain() => _step.Drain();

    /// <inheritdoc/>
    public void Dispose() => _step.Dispose();
}
