// SPDX-License-Identifier: MIT
// What every form needs: the index, the constants, and what may be looked through.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Matching;

/// <summary>A value with the nodes that were looked through to reach it.</summary>
/// <param name="Value">The value behind them.</param>
/// <param name="Nodes">The nodes that change nothing, nearest to the reader first.</param>
internal sealed record Stripped(GraphValue Value, IReadOnlyList<NodeProto> Nodes);

/// <summary>A graph to match in.</summary>
/// <param name="index">Its values.</param>
/// <param name="constants">Its constants.</param>
internal sealed class MatchContext(GraphIndex index, ConstantReader constants)
{
    private const int MaxStripped = 16;

    /// <summary>Its values.</summary>
    public GraphIndex Index { get; } = index;

    /// <summary>Its constants.</summary>
    public ConstantReader Constants { get; } = constants;

    /// <summary>
    /// Looks through what changes no number: Identity, inference Dropout, Mul and Div by 1, and casts between float types.
    /// Whether those casts are harmless is for the caller to say, by <see cref="CastTargets"/>.
    /// </summary>
    /// <param name="value">Where to start.</param>
    public Stripped Strip(GraphValue value)
    {
        List<NodeProto> nodes = [];
        while (nodes.Count < MaxStripped && value.Producer is { } node && value.ProducerOutput == 0 && Through(node, value.Scope) is { } behind)
        {
            nodes.Add(node);
            value = behind;
        }

        return new Stripped(value, nodes);
    }

    /// <summary>Whether <see cref="Strip"/> looks through a node.</summary>
    /// <param name="node">The node.</param>
    public bool IsLookedThrough(NodeProto node) => Through(node, Index.ScopeOf(node)) is not null;

    /// <summary>The types that the casts among some nodes give.</summary>
    /// <param name="nodes">The nodes.</param>
    public static IEnumerable<(NodeProto Node, int Type)> CastTargets(IEnumerable<NodeProto> nodes) =>
        nodes.Where(node => node.Is("Cast")).Select(node => (node, (int)node.Int("to", 0)));

    private GraphValue? Through(NodeProto node, GraphScope scope)
    {
        if (node.Is("Identity"))
        {
            return scope.Input(node, 0);
        }

        if (node.Is("Dropout"))
        {
            return scope.Input(node, 2) is { } training && Constants.Scalar(training) is not 0.0 ? null : scope.Input(node, 0);
        }

        if (node.Is("Cast"))
        {
            return ElementTypes.IsFloat((int)node.Int("to", 0)) ? scope.Input(node, 0) : null;
        }

        if (node.Is("Mul") || node.Is("Div"))
        {
            if (scope.Input(node, 1) is { } right && Constants.Scalar(right) is 1.0)
            {
                return scope.Input(node, 0);
            }

            return node.Is("Mul") && scope.Input(node, 0) is { } left && Constants.Scalar(left) is 1.0 ? scope.Input(node, 1) : null;
        }

        return null;
    }
}
