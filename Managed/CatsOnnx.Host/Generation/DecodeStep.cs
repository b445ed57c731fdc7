// SPDX-License-Identifier: MIT
// One run of the model over the next tokens of a sequence: prefill with many, decoding with one.
using CatsOnnx.Sampling;

namespace CatsOnnx.Generation;

/// <summary>Runs a sequence forward.</summary>
internal abstract class DecodeStep : IDisposable
{
    /// <summary>Begins a sequence of at most <paramref name="capacity"/> tokens.</summary>
    /// <param name="capacity">Tokens that will be run, prompt and generated ones.</param>
    /// <param name="thresholdScale">The scale of thresholds, or null for the model's own.</param>
    public abstract void Begin(int capacity, float? thresholdScale);

    /// <summary>Begins a sequence with the first tokens of the one before, whose keys and values may be there still.</summary>
    /// <param name="kept">How many tokens at the beginning are those that were run before, with the same scale.</param>
    /// <param name="capacity">Tokens that the sequence will have, the kept ones among them.</param>
    /// <param name="thresholdScale">The scale of thresholds, or null for the model's own.</param>
    /// <returns>How many of them need not be run again: <paramref name="kept"/> or fewer.</returns>
    public virtual int Resume(int kept, int capacity, float? thresholdScale)
    {
        Begin(capacity, thresholdScale);
        return 0;
    }

    /// <summary>Whether the step after may be begun before it is asked for, where that is possible: not where it runs with another scale,
    /// or is probed first. Each sequence begins with true.</summary>
    public bool MayRunAhead { get; set; } = true;

    /// <summary>Changes the scale of thresholds for the runs that follow.</summary>
    /// <param name="thresholdScale">The scale, or null for the model's own.</param>
    public abstract void SetScale(float? thresholdScale);

    /// <summary>Runs a token after the sequence with another scale and forgets that it did: neither the token nor its keys and values stay.</summary>
    /// <param name="id">The token that is run next.</param>
    /// <param name="thresholdScale">The scale of this run alone.</param>
    /// <param name="cancellationToken">Ends the run early.</param>
    /// <returns>The logits after the token, [vocabulary]; they hold until the next run.</returns>
    public abstract ReadOnlySpan<float> Peek(int id, float thresholdScale, CancellationToken cancellationToken);

    /// <summary>Runs the next tokens of the sequence.</summary>
    /// <returns>The logits after the last of them, [vocabulary]; they hold until the next run.</returns>
    public abstract ReadOnlySpan<float> Run(ReadOnlySpan<int> ids, CancellationToken cancellationToken);

    /// <summary>Runs the next tokens of the sequence and chooses the one that follows, where that is cheapest.</summary>
    public virtual int Choose(ReadOnlySpan<int> ids, ISampler sampler, CancellationToken cancellationToken) =>
        sampler.Sample(Run(ids, cancellationToken));

    /// <summary>Time that ONNX Runtime took for all runs so far but those of <see cref="Peek"/>, in ticks of <see cref="System.Diagnostics.Stopwatch"/>.</summary>
    public long RunTicks { get; protected set; }

    /// <summary>Adds the active neurons of the last run to a counter.</summary>
    public abstract void CountActive(ActiveCounter counter);

    public abstract void Dispose();
}
