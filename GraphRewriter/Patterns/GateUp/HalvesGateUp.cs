// SPDX-License-Identifier: MIT
// x ── Linear ── SwiGLU with one input: its first half is gate, its second up
// Emitted by: the GenAI builder's packed com.microsoft.SwiGLU.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Patterns.GatedProduct;

namespace CatsOnnx.GraphRewriter.Patterns.GateUp;

/// <summary>One projection that the gated product itself halves.</summary>
internal sealed class HalvesGateUp : IGateUpForm
{
    /// <inheritdoc/>
    public string Name => "packed";

    /// <inheritdoc/>
    public MatchResult<GateUpMatch> Match(GatedProductMatch product, MatchContext context) => product.Up is null
        ? PackedGateUp.Cut(Name, product.Gate, 0, -1, 1, [], context)
        : MatchResult<GateUpMatch>.Miss("gate and up are two values", product.ProductNode);
}
