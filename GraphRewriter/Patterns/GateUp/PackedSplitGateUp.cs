// SPDX-License-Identifier: MIT
// x ── Linear ── Split(last axis) ─┬─ gate
//                                  └─ up
// Emitted by: dynamo exports of Phi-3, the GenAI builder with fuse_mlp_gate_up, ONNX SwiGLU's callers.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.GatedProduct;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.GateUp;

/// <summary>One projection and a Split.</summary>
internal sealed class PackedSplitGateUp : IGateUpForm
{
    /// <inheritdoc/>
    public string Name => "packed, Split";

    /// <inheritdoc/>
    public MatchResult<GateUpMatch> Match(GatedProductMatch product, MatchContext context)
    {
        if (product.Up is not { } upValue)
        {
            return MatchResult<GateUpMatch>.Miss("no second value", product.ProductNode);
        }

        Stripped gate = context.Strip(product.Gate);
        Stripped up = context.Strip(upValue);
        if (gate.Value.Producer is not { } node || !node.Is("Split") || !ReferenceEquals(node, up.Value.Producer) || node.Output.Count != 2
            || ReferenceEquals(gate.Value, up.Value) || gate.Value.Scope.Input(node, 0) is not { } packed)
        {
            return MatchResult<GateUpMatch>.Miss("gate and up are not the two results of one Split", gate.Value.Producer);
        }

        long?[]? sizes = context.Constants.Integers(gate.Value.Scope.Input(node, 1)) ?? node.Attribute("split")?.Ints.Select(i => (long?)i).ToArray();
        if (sizes is not null && (sizes.Length != 2 || sizes[0] != sizes[1]))
        {
            return MatchResult<GateUpMatch>.Refused($"Split cuts [{string.Join(", ", sizes)}]; gate and up must have one size", node, depth: 1);
        }

        if (!PackedGateUp.IsLastAxis(node.Int("axis", 0), packed, sizes is not null && sizes.Sum() == PackedGateUp.Features(packed, context)))
        {
            return MatchResult<GateUpMatch>.Refused($"Split cuts axis {node.Int("axis", 0)}, which is not known to be the last", node, depth: 1);
        }

        bool gateFirst = gate.Value.ProducerOutput == 0;
        return PackedGateUp.Cut(Name, packed, gateFirst ? 0 : -1, gateFirst ? -1 : 0, 1, [node, .. gate.Nodes, .. up.Nodes], context);
    }
}
