// SPDX-License-Identifier: MIT
// x ─┬─ Linear ── gate
//    └─ Linear ── up
// Emitted by: every exporter of Llama and Mistral, unless asked to pack the two.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.GatedProduct;
using CatsOnnx.GraphRewriter.Patterns.Linear;

namespace CatsOnnx.GraphRewriter.Patterns.GateUp;

/// <summary>Two projections of one input.</summary>
internal sealed class SeparateGateUp : IGateUpForm
{
    /// <inheritdoc/>
    public string Name => "separate";

    /// <inheritdoc/>
    public MatchResult<GateUpMatch> Match(GatedProductMatch product, MatchContext context)
    {
        if (product.Up is not { } upValue)
        {
            return MatchResult<GateUpMatch>.Miss("up is packed with gate", product.ProductNode);
        }

        MatchResult<LinearMatch> gate = LinearForms.Match(product.Gate, context);
        MatchResult<LinearMatch> up = LinearForms.Match(upValue, context);
        if (gate.Value is null || up.Value is null)
        {
            return Explain(gate, up);
        }

        if (gate.Value.Quantization is not null || up.Value.Quantization is not null)
        {
            return MatchResult<GateUpMatch>.Found(new GateUpMatch(Name, gate.Value.Input, gate.Value, up.Value, [.. gate.Value.Nodes, .. up.Value.Nodes]));
        }

        if (!SameInput(gate.Value, up.Value, context))
        {
            return MatchResult<GateUpMatch>.Refused(
                $"gate_proj reads '{gate.Value.Input.Name}' and up_proj '{up.Value.Input.Name}'; a gated MLP has one input", up.Value.Nodes[0], depth: 2);
        }

        return MatchResult<GateUpMatch>.Found(new GateUpMatch(Name, gate.Value.Input, gate.Value, up.Value, [.. gate.Value.Nodes, .. up.Value.Nodes]));
    }

    private static MatchResult<GateUpMatch> Explain(MatchResult<LinearMatch> gate, MatchResult<LinearMatch> up)
    {
        int depth = (gate.IsMatch ? 1 : 0) + (up.IsMatch ? 1 : 0);
        (string which, MatchResult<LinearMatch> bad) = gate.Kind == MatchKind.Refused || (!gate.IsMatch && up.Kind != MatchKind.Refused)
            ? ("gate_proj", gate)
            : ("up_proj", up);
        return bad.Kind == MatchKind.Refused
            ? MatchResult<GateUpMatch>.Refused($"{which}: {bad.Reason}", bad.Node, depth: depth)
            : MatchResult<GateUpMatch>.Miss($"{which}: {bad.Reason}", bad.Node, depth);
    }

    // The same value, two reshapes to rows of one value, or two casts of it to one type.
    private static bool SameInput(LinearMatch gate, LinearMatch up, MatchContext context)
    {
        if (ReferenceEquals(gate.Input, up.Input))
        {
            return true;
        }

        if (gate.IsRankTwo != up.IsRankTwo)
        {
            return false;
        }

        (GraphValue one, GraphValue other) = (Base(gate, context), Base(up, context));
        for (int depth = 0; !ReferenceEquals(one, other); depth++)
        {
            if (depth > 8 || one.Producer is not { } cast || !cast.Is("Cast") || other.Producer is not { } same || !same.Is("Cast")
                || cast.Int("to", 0) != same.Int("to", 0) || one.Scope.Input(cast, 0) is not { } before || other.Scope.Input(same, 0) is not { } beforeOther)
            {
                return false;
            }

            (one, other) = (before, beforeOther);
        }

        return true;
    }

    private static GraphValue Base(LinearMatch linear, MatchContext context)
    {
        GraphValue value = linear.Input;
        for (int depth = 0; depth < 8; depth++)
        {
            value = ThroughSameType(value, context);
            if (!linear.IsRankTwo || value.Producer is not { } node || !LinearForms.IsReshape(node)
                || !RowReshape.KeepsRows(node, linear.Weight!.InFeatures, context) || value.Scope.Input(node, 0) is not { } before)
            {
                break;
            }

            value = before;
        }

        return value;
    }

    // A cast of the input may lose digits, so only two equal casts are one input.
    private static GraphValue ThroughSameType(GraphValue value, MatchContext context)
    {
        Stripped stripped = context.Strip(value);
        return stripped.Nodes.All(node => !node.Is("Cast")) ? stripped.Value : value;
    }
}
