// SPDX-License-Identifier: MIT
// Keeps the tokens that are likely in proportion to the likeliest one.
using System.Numerics.Tensors;

namespace CatsOnnx.Sampling;

/// <summary>Keeps the candidates of at least a share of the highest probability.</summary>
internal sealed class MinP(float share) : ISamplingRule
{
    private readonly float _distance = MathF.Log(share);

    /// <summary>The rule that the options ask for, or null.</summary>
    public static MinP? From(SamplingOptions options) => options.MinP == 0 ? null : new MinP(options.MinP);

    public void Apply(Candidates candidates, TokenHistory history) =>
        candidates.KeepFrom(TensorPrimitives.Max<float>(candidates.Logits) + _distance);
}
