// SPDX-License-Identifier: MIT
// Reshapes that only change how rows are counted: [batch, sequence, n] <-> [rows, n].
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>Tells whether a reshape keeps rows.</summary>
internal static class RowReshape
{
    /// <summary>Whether the node's result has the same rows of <paramref name="features"/> elements as its input.</summary>
    /// <param name="node">Reshape, Flatten, Squeeze or Unsqueeze, of an input with that last dimension.</param>
    /// <param name="features">The last dimension.</param>
    /// <param name="context">The graph.</param>
    public static bool KeepsRows(NodeProto node, long features, MatchContext context)
    {
        GraphScope scope = context.Index.ScopeOf(node);
        if (scope.Find(node.Output[0])?.Info?.Type?.TensorType?.Shape is { Dim.Count: > 0 } shape && shape.Dim[^1].HasDimValue)
        {
            return shape.Dim[^1].DimValue == features;
        }

        if (node.Is("Reshape"))
        {
            long?[]? to = context.Constants.Integers(scope.Input(node, 1));
            return to is { Length: > 0 } && (to[^1] == features || IsInferred(to, node, scope, features));
        }

        if (node.Is("Flatten"))
        {
            long axis = node.Int("axis", 1);
            return axis == -1 || scope.Input(node, 0)?.Rank is { } rank && axis == rank - 1;
        }

        long?[]? axes = context.Constants.Integers(scope.Input(node, 1))
            ?? node.Attribute("axes")?.Ints.Select(axis => (long?)axis).ToArray();
        return axes is not null && axes.All(axis => axis is >= 0 and < 2 or < -1 and > -4)
            && (node.Is("Unsqueeze") ? axes.All(axis => axis is not -1) : features != 1);
    }

    // [d0, d1, -1] with the known front of the input: only sure where the input's own shape is known in full.
    private static bool IsInferred(long?[] to, NodeProto node, GraphScope scope, long features) =>
        to[^1] == -1 && to[..^1].All(dim => dim == 0) && scope.Input(node, 0)?.Rank == to.Length && features > 0;
}
