// SPDX-License-Identifier: MIT
// x ── Linear ─┬─ Slice(0 .. n) ── gate
//              └─ Slice(n .. 2n) ── up      on the last axis
// Emitted by: exports of chunk() and of indexing; also of models that hold one gate_up_proj.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.GatedProduct;

namespace CatsOnnx.GraphRewriter.Patterns.GateUp;

/// <summary>One projection and two slices, one of each half.</summary>
internal sealed class PackedSliceGateUp : IGateUpForm
{
    /// <inheritdoc/>
    public string Name => "packed, Slice";

    /// <inheritdoc/>
    public MatchResult<GateUpMatch> Match(GatedProductMatch product, MatchContext context)
    {
        if (product.Up is not { } upValue || SliceCut.Read(product.Gate, context) is not { Step: 1 } gate || SliceCut.Read(upValue, context) is not { Step: 1 } up
            || !ReferenceEquals(gate.Source, up.Source))
        {
            return MatchResult<GateUpMatch>.Miss("gate and up are not two slices of one value", product.ProductNode);
        }

        return gate.End - gate.Start == up.End - up.Start && (gate.End - gate.Start) * 2 == PackedGateUp.Features(gate.Source, context)
            ? PackedGateUp.Cut(Name, gate.Source, gate.Start, up.Start, 1, [.. gate.Nodes, .. up.Nodes], context)
            : MatchResult<GateUpMatch>.Refused($"the slices take {gate.Start}..{gate.End} and {up.Start}..{up.End}; gate and up must be the halves", gate.Nodes[0], depth: 2);
    }
}
