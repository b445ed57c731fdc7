// SPDX-License-Identifier: MIT
// x ── Linear ─┬─ Slice(0 .., step 2) ── gate
//              └─ Slice(1 .., step 2) ── up      on the last axis
// Emitted by: exports of models with gate and up interleaved in one matrix (gpt-oss keeps them so).
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.GatedProduct;

namespace CatsOnnx.GraphRewriter.Patterns.GateUp;

/// <summary>One projection; gate and up are its even and odd features.</summary>
internal sealed class InterleavedGateUp : IGateUpForm
{
    /// <inheritdoc/>
    public string Name => "interleaved, Slice";

    /// <inheritdoc/>
    public MatchResult<GateUpMatch> Match(GatedProductMatch product, MatchContext context)
    {
        if (product.Up is not { } upValue || SliceCut.Read(product.Gate, context) is not { Step: 2 } gate || SliceCut.Read(upValue, context) is not { Step: 2 } up
            || !ReferenceEquals(gate.Source, up.Source))
        {
            return MatchResult<GateUpMatch>.Miss("gate and up are not interleaved slices of one value", product.ProductNode);
        }

        long features = PackedGateUp.Features(gate.Source, context) ?? 0;
        return gate.End >= features - 1 && up.End >= features - 1 && (gate.End - gate.Start + 1) / 2 == features / 2 && (up.End - up.Start + 1) / 2 == features / 2
            ? PackedGateUp.Cut(Name, gate.Source, gate.Start, up.Start, 2, [.. gate.Nodes, .. up.Nodes], context)
            : MatchResult<GateUpMatch>.Refused($"the slices take {gate.Start}..{gate.End} and {up.Start}..{up.End} of {features} features; they must take them all", gate.Nodes[0], depth: 2);
    }
}
