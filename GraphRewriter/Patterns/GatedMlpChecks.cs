// SPDX-License-Identifier: MIT
// What must hold for a gated MLP to become one operator: float weights, sizes that agree, one type, nothing read from outside.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.Linear;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns;

/// <summary>Checks an MLP whose parts have all been found.</summary>
internal static class GatedMlpChecks
{
    /// <summary>Why the MLP cannot be replaced, or null.</summary>
    /// <param name="match">The MLP.</param>
    /// <param name="between">The nodes between product and down projection.</param>
    /// <param name="context">Its graph.</param>
    public static (string Reason, NodeProto Node)? Fault(GatedMlpMatch match, IReadOnlyList<NodeProto> between, MatchContext context)
    {
        (string Name, LinearMatch Linear)[] parts = [("gate_proj", match.GateUp.Gate), ("up_proj", match.GateUp.Up), ("down_proj", match.Down)];
        foreach ((string name, LinearMatch linear) in parts)
        {
            if (linear.Quantization is { } quantization)
            {
                return ($"{name} has {quantization}; only float, float16 and bfloat16 weights are fused", linear.Nodes[0]);
            }
        }

        return Sizes(match) ?? Types(match, parts) ?? Ranks(match, parts) ?? Rows(match, between, context) ?? Scopes(match, context) ?? Escape(match, context);
    }

    private static (string, NodeProto)? Sizes(GatedMlpMatch match)
    {
        (WeightMatrix gate, WeightMatrix up, WeightMatrix down) = (match.GateUp.Gate.Weight!, match.GateUp.Up.Weight!, match.Down.Weight!);
        bool agree = gate.OutFeatures == up.OutFeatures && gate.OutFeatures == down.InFeatures && gate.InFeatures == up.InFeatures
            && gate.InFeatures == down.OutFeatures;
        return agree
            ? null
            : ($"gate_proj is [{gate.OutFeatures}, {gate.InFeatures}], up_proj [{up.OutFeatures}, {up.InFeatures}], down_proj [{down.OutFeatures}, {down.InFeatures}]; "
                + "an MLP has [intermediate, hidden] twice and [hidden, intermediate]", match.Down.Nodes[0]);
    }

    private static (string, NodeProto)? Types(GatedMlpMatch match, (string Name, LinearMatch Linear)[] parts)
    {
        int type = match.ElementType;
        foreach ((string name, LinearMatch linear) in parts)
        {
            if (linear.Weight!.Tensor.DataType != type)
            {
                return ($"{name} has {ElementTypes.Name(linear.Weight.Tensor.DataType)} weights and gate_proj {ElementTypes.Name(type)}; they must be of one type", linear.Nodes[0]);
            }
        }

        foreach ((NodeProto node, int to) in MatchContext.CastTargets(match.Nodes))
        {
            if (to != type && to != (int)TensorProto.Types.DataType.Float)
            {
                return ($"a Cast to {ElementTypes.Name(to)} stands inside an MLP of {ElementTypes.Name(type)}", node);
            }
        }

        return null;
    }

    // A weight [1, in, out] gives its result three dimensions at least: harmless where the input has as many.
    private static (string, NodeProto)? Ranks(GatedMlpMatch match, (string Name, LinearMatch Linear)[] parts)
    {
        foreach ((string name, LinearMatch linear) in parts)
        {
            int rank = linear.Weight!.Rank;
            if (rank > 2 && !(match.Input.Rank >= rank && !Reshapes(match).Any()))
            {
                return ($"{name} has weights '{linear.Weight.Tensor.Name}' of {rank} dimensions, and '{match.Input.Name}' is not known to have as many; a projection has two dimensions", linear.Nodes[0]);
            }
        }

        return null;
    }

    // Reshapes inside are harmless where every projection works on [rows, features]; else the result could have another shape.
    private static (string, NodeProto)? Rows(GatedMlpMatch match, IReadOnlyList<NodeProto> between, MatchContext context)
    {
        bool rankTwo = match.GateUp.Gate.IsRankTwo && match.GateUp.Up.IsRankTwo && match.Down.IsRankTwo;
        foreach (NodeProto reshape in Reshapes(match))
        {
            if (!rankTwo)
            {
                return ($"a {reshape.OpType} inside the MLP changes its shape", reshape);
            }

            if (between.Contains(reshape, ReferenceEqualityComparer.Instance) && !RowReshape.KeepsRows(reshape, match.IntermediateSize, context))
            {
                return ($"a {reshape.OpType} before down_proj may not keep rows of {match.IntermediateSize}", reshape);
            }
        }

        return null;
    }

    // Those that a packed form undoes itself count for nothing.
    private static IEnumerable<NodeProto> Reshapes(GatedMlpMatch match) =>
        match.Nodes.Where(LinearForms.IsReshape).Except(match.GateUp.Views, ReferenceEqualityComparer.Instance).OfType<NodeProto>();

    private static (string, NodeProto)? Scopes(GatedMlpMatch match, MatchContext context)
    {
        NodeProto? elsewhere = match.Nodes.FirstOrDefault(node => !ReferenceEquals(context.Index.ScopeOf(node), match.Scope));
        return elsewhere is null ? null : ("the MLP's nodes stand in different graphs", elsewhere);
    }

    private static (string, NodeProto)? Escape(GatedMlpMatch match, MatchContext context)
    {
        HashSet<NodeProto> inside = new(match.Nodes, ReferenceEqualityComparer.Instance);
        foreach (NodeProto node in match.Nodes)
        {
            foreach (string name in node.Output)
            {
                if (name.Length == 0 || name == match.Output.Name || match.Scope.Find(name) is not { } value)
                {
                    continue;
                }

                if (value.IsOutput)
                {
                    return ($"'{name}', a value inside the MLP, is an output of the graph", node);
                }

                foreach (ValueUse use in value.Uses)
                {
                    if (!inside.Contains(use.Node))
                    {
                        return ($"'{name}', a value inside the MLP, is also read by {GraphText.Place(use.Node)} ({GraphText.Operator(use.Node)})", use.Node);
                    }
                }
            }
        }

        return null;
    }
}
