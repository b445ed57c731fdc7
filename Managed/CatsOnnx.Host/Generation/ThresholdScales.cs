// SPDX-License-Identifier: MIT
// The scales of thresholds of a request: one for its prompt, one for decoding.
using System.Globalization;

namespace CatsOnnx.Generation;

/// <summary>What multiplies the thresholds; null: the model's own.</summary>
/// <param name="Prefill">While the prompt is run.</param>
/// <param name="Decode">While tokens are decoded.</param>
internal readonly record struct ThresholdScales(float? Prefill, float? Decode)
{
    /// <summary>The scales that a request asks for.</summary>
    public static ThresholdScales Of(GenerationOptions options) =>
        new(options.PrefillThresholdScale ?? options.ThresholdScale, options.ThresholdScale);

    /// <summary>Whether prompt and decoding have one scale. The model's own is 1.</summary>
    public bool AreOne => (Prefill ?? 1) == (Decode ?? 1);

    public override string ToString() =>
        AreOne ? $"threshold scale {Text(Decode)}" : $"threshold scale {Text(Decode)} (prefill {Text(Prefill)})";

    private static string Text(float? scale) => scale?.ToString(CultureInfo.InvariantCulture) ?? "of the model";
}
