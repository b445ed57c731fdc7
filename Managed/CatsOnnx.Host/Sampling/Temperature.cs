// SPDX-License-Identifier: MIT
// Divides the logits by the temperature.
using System.Numerics.Tensors;

namespace CatsOnnx.Sampling;

/// <summary>Below 1 likely tokens become likelier, above 1 unlikely ones do.</summary>
internal sealed class Temperature(float temperature) : ISamplingRule
{
    /// <summary>The rule that the options ask for, or null: at 0 the likeliest token is taken, whatever it is divided by.</summary>
    public static Temperature? From(SamplingOptions options) =>
        options.Temperature is 0 or 1 ? null : new Temperature(options.Temperature);

    public void Apply(Candidates candidates, TokenHistory history) =>
        TensorPrimitives.Divide(candidates.Logits, temperature, candidates.Logits);
}
