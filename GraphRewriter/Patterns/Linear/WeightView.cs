// SPDX-License-Identifier: MIT
// A stored weight seen through Transpose, Reshape, Squeeze and Unsqueeze: shape and strides, nothing is moved.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>A tensor of a file as a later value shows it: element (i, j, ...) lies at i * Strides[0] + j * Strides[1] + ...</summary>
/// <param name="Dims">The shape.</param>
/// <param name="Strides">Elements from one index to the next, for each dimension.</param>
internal sealed record WeightView(IReadOnlyList<long> Dims, IReadOnlyList<long> Strides)
{
    /// <summary>A tensor as it is stored.</summary>
    /// <param name="tensor">The tensor.</param>
    public static WeightView Of(TensorProto tensor)
    {
        long[] strides = new long[tensor.Dims.Count];
        long stride = 1;
        for (int i = strides.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= Math.Max(tensor.Dims[i], 1);
        }

        return new WeightView([.. tensor.Dims], strides);
    }

    /// <summary>What a node shows of it; null where that is no view, or where the file does not tell.</summary>
    /// <param name="node">Transpose, Identity, Cast, Reshape, Flatten, Squeeze or Unsqueeze.</param>
    /// <param name="context">The graph.</param>
    public WeightView? Through(NodeProto node, MatchContext context)
    {
        if (node.Is("Identity") || node.Is("Cast"))
        {
            return this;
        }

        if (node.Is("Transpose"))
        {
            int[] perm = node.Attribute("perm") is { } given
                ? [.. given.Ints.Select(axis => axis >= 0 && axis < Dims.Count ? (int)axis : -1)]
                : [.. Enumerable.Range(0, Dims.Count).Reverse()];
            return perm.Length == Dims.Count && perm.Distinct().Count() == perm.Length && !perm.Contains(-1)
                ? new WeightView([.. perm.Select(axis => Dims[axis])], [.. perm.Select(axis => Strides[axis])])
                : null;
        }

        return Target(node, context) is { } shape ? WithShape(shape) : null;
    }

    /// <summary>The matrix it is, dimensions of 1 before it left out; null where it is none.</summary>
    public (long Rows, long Columns, long RowStride, long ColumnStride)? Matrix() =>
        Dims.Count >= 2 && Dims.Take(Dims.Count - 2).All(dim => dim == 1)
            ? (Dims[^2], Dims[^1], Strides[^2], Strides[^1])
            : null;

    // Only dimensions of 1 may come and go: then every element keeps its place.
    private WeightView? WithShape(long[] shape)
    {
        List<(long Dim, long Stride)> real = [.. Dims.Zip(Strides).Where(pair => pair.First != 1)];
        if (!shape.Where(dim => dim != 1).SequenceEqual(real.Select(pair => pair.Dim)))
        {
            return null;
        }

        int next = 0;
        return new WeightView(shape, [.. shape.Select(dim => dim == 1 ? 1 : real[next++].Stride)]);
    }

    private long[]? Target(NodeProto node, MatchContext context)
    {
        long count = Dims.Aggregate(1L, (product, dim) => product * dim);
        if (node.Is("Flatten"))
        {
            long axis = node.Int("axis", 1);
            axis += axis < 0 ? Dims.Count : 0;
            long rows = axis >= 0 && axis <= Dims.Count ? Dims.Take((int)axis).Aggregate(1L, (product, dim) => product * dim) : 0;
            return rows > 0 ? [rows, count / rows] : null;
        }

        GraphValue? argument = context.Index.ScopeOf(node).Input(node, 1);
        string attribute = node.Is("Reshape") ? "shape" : "axes";
        long?[]? given = context.Constants.Integers(argument) ?? (argument is null ? node.Attribute(attribute)?.Ints.Select(i => (long?)i).ToArray() : null);
        if (given is null || given.Any(number => number is null))
        {
            return argument is null && node.Is("Squeeze") ? [.. Dims.Where(dim => dim != 1)] : null;
        }

        long[] numbers = [.. given.Select(number => number!.Value)];
        return node.Is("Reshape") ? Reshaped(numbers, count, node.Int("allowzero", 0) != 0) : Squeezed(numbers, node.Is("Unsqueeze"));
    }

    private long[]? Reshaped(long[] numbers, long count, bool allowZero)
    {
        long[] shape = [.. numbers.Select((dim, i) => dim == 0 && !allowZero && i < Dims.Count ? Dims[i] : dim)];
        int open = Array.IndexOf(shape, -1);
        if (open >= 0)
        {
            shape[open] = 1;
            long known = shape.Aggregate(1L, (product, dim) => product * dim);
            shape[open] = known > 0 ? count / known : 0;
        }

        return shape.All(dim => dim > 0) ? shape : null;
    }

    private long[]? Squeezed(long[] axes, bool adds)
    {
        int rank = adds ? Dims.Count + axes.Length : Dims.Count;
        HashSet<long> places = [.. axes.Select(axis => axis < 0 ? axis + rank : axis)];
        if (places.Count != axes.Length || places.Any(place => place < 0 || place >= rank))
        {
            return null;
        }

        int next = 0;
        return adds
            ? [.. Enumerable.Range(0, rank).Select(place => places.Contains(place) ? 1 : Dims[next++])]
            : [.. Dims.Where((_, place) => !places.Contains(place))];
    }
}
