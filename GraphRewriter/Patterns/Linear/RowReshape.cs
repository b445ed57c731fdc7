// SPDX-License-Identifier: MIT
// Reshapes that only change how rows are counted: [batch, sequence, n] <-> [rows, n].
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>Tells whether a reshape keeps rows.</summary>
internal static class RowReshape
{
    private const int MaxValues = 64;

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

    /// <summary>Whether a value is surely [rows, features]: by its declared shape, or by what makes it.</summary>
    /// <param name="value">The value.</param>
    /// <param name="context">The graph.</param>
    public static bool IsMatrix(GraphValue value, MatchContext context) => RankOf(value, context) == 2;

    /// <summary>The rank of a value: as declared, or by what makes it; null where that tells nothing.</summary>
    /// <param name="value">The value.</param>
    /// <param name="context">The graph.</param>
    public static int? RankOf(GraphValue value, MatchContext context)
    {
        int budget = MaxValues;
        return Rank(value, context, ref budget);
    }

    // The rank of a value, or null: through elementwise nodes and products with matrices, which keep it.
    private static int? Rank(GraphValue value, MatchContext context, ref int budget)
    {
        if (value.Rank is { } stated || --budget < 0)
        {
            return value.Rank;
        }

        if (value.Producer is not { } node || value.Scope.Input(node, 0) is not { } first)
        {
            return null;
        }

        switch (node.OpType)
        {
            case "Gemm" or "Flatten":
                return 2;
            case "Reshape":
                return context.Constants.Integers(value.Scope.Input(node, 1))?.Length;
            case "Identity" or "Cast" or "Sigmoid" or "Neg" or "Exp" or "Reciprocal" or "Swish" or "QuickGelu" or "SwiGLU" or "Split" or "Slice" or "Dropout" or "Tanh":
                return Rank(first, context, ref budget);
            case "MatMul" or "FusedMatMul" or "Mul" or "Add" or "Div" or "Sub" or "Pow":
                int? left = Rank(first, context, ref budget);
                int? right = left is null || value.Scope.Input(node, 1) is not { } second ? null : Rank(second, context, ref budget);
                return left is null || right is null ? null : Math.Max(left.Value, right.Value);
            case "Transpose":
                return Rank(first, context, ref budget);
            default:
                return null;
        }
    }

    // [d0, d1, -1] with the known front of the input: only sure where the input's own shape is known in full.
    private static bool IsInferred(long?[] to, NodeProto node, GraphScope scope, long features) =>
        to[^1] == -1 && to[..^1].All(dim => dim == 0) && scope.Input(node, 0)?.Rank == to.Length && features > 0;
}
