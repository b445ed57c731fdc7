// SPDX-License-Identifier: MIT
// One run of the model over the next tokens of a sequence: prefill with many, decoding with one.
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Generation;

/// <summary>Runs a sequence forward.</summary>
internal abstract class DecodeStep : IDisposable
{
    /// <summary>Begins a sequence of at most <paramref name="capacity"/> tokens.</summary>
    /// <param name="capacity">Tokens that will be run, prompt and generated ones.</param>
    /// <param name="thresholdScale">The scale of thresholds, or null for the model's own.</param>
    public abstract void Begin(int capacity, float? thresholdScale);

    /// <summary>Runs the next tokens of the sequence.</summary>
    /// <returns>The logits after the last of them, [vocabulary]; they hold until the next run.</returns>
    public abstract ReadOnlySpan<float> Run(ReadOnlySpan<int> ids, RunOptions options, CancellationToken cancellationToken);

    /// <summary>Adds the active neurons of the last run to a counter.</summary>
    public abstract void CountActive(ActiveCounter counter);

    public abstract void Dispose();
}
