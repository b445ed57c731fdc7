// SPDX-License-Identifier: MIT
// The most likely token.
using System.Numerics.Tensors;

namespace CatsOnnx.Sampling;

/// <summary>Takes the token with the highest logit, the lowest id of equals.</summary>
public sealed class Greedy : ISampler
{
    /// <summary>The only instance that is needed.</summary>
    public static Greedy Instance { get; } = new();

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">A logit is NaN: the model's numbers have broken down.</exception>
    public int Sample(ReadOnlySpan<float> logits)
    {
        int best = TensorPrimitives.IndexOfMax(logits);
        return best >= 0 && !float.IsNaN(logits[best]) ? best
            : throw NotANumber(best);
    }

    internal static InvalidDataException NotANumber(int token) => new($"The model gave NaN as the logit of token {token}.");
}
