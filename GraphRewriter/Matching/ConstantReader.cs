// SPDX-License-Identifier: MIT
// Reads small constants: initializers, Constant nodes, and integer arithmetic on shapes as exporters leave it unfolded.
using System.Buffers.Binary;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using static CatsOnnx.GraphRewriter.Proto.TensorProto.Types;

namespace CatsOnnx.GraphRewriter.Matching;

/// <summary>Evaluates constants of a graph.</summary>
/// <param name="read">Reads a tensor's raw bytes.</param>
internal sealed class ConstantReader(Func<TensorProto, byte[]> read)
{
    private const int MaxElements = 64;
    private const int MaxDepth = 24;

    /// <summary>The tensor behind a value that is an initializer or a Constant node's value, else null.</summary>
    /// <param name="value">The value.</param>
    public static TensorProto? Tensor(GraphValue value)
    {
        if (value.Producer is { } node)
        {
            return node.Is("Constant") ? node.Attribute("value")?.T : null;
        }

        return value.Initializer;
    }

    /// <summary>Whether a value is given by the file alone.</summary>
    /// <param name="value">The value.</param>
    public static bool IsConstant(GraphValue value) => value.Producer is { } node ? node.Is("Constant") : value.Initializer is not null;

    /// <summary>The one number of a constant with one element, else null.</summary>
    /// <param name="value">The value.</param>
    public double? Scalar(GraphValue value)
    {
        if (value.Producer is { } node && node.Is("Constant"))
        {
            if (node.Attribute("value_float") is { } f)
            {
                return f.F;
            }

            if (node.Attribute("value_int") is { } i)
            {
                return i.I;
            }
        }
        else if (value.Producer is { } cast && (cast.Is("Cast") || cast.Is("CastLike") || cast.Is("Identity")))
        {
            return value.Scope.Input(cast, 0) is { } inner && IsConstant(inner) ? Scalar(inner) : null;
        }

        if (Tensor(value) is not { } tensor || tensor.Dims.Aggregate(1L, (product, dim) => product * dim) != 1)
        {
            return null;
        }

        byte[] bytes = read(tensor);
        return (DataType)tensor.DataType switch
        {
            DataType.Float => BinaryPrimitives.ReadSingleLittleEndian(bytes),
            DataType.Double => BinaryPrimitives.ReadDoubleLittleEndian(bytes),
            DataType.Float16 => (double)BinaryPrimitives.ReadHalfLittleEndian(bytes),
            DataType.Bfloat16 => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(bytes) << 16),
            DataType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
            DataType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
            DataType.Bool => bytes[0],
            _ => null,
        };
    }

    /// <summary>The integers of a value as far as the file gives them; unknown ones are null. Null where even their number is unknown.</summary>
    /// <param name="value">A shape, or an index, start, end, axis or step.</param>
    /// <param name="depth">How many nodes were gone through already.</param>
    public long?[]? Integers(GraphValue? value, int depth = 0)
    {
        if (value is null || depth > MaxDepth)
        {
            return null;
        }

        return value.Producer is { } node && !node.Is("Constant") ? OfNode(node, value.Scope, depth + 1) : OfTensor(value);
    }

    private long?[]? OfTensor(GraphValue value)
    {
        if (value.Producer?.Attribute("value_int") is { } single)
        {
            return [single.I];
        }

        if (value.Producer?.Attribute("value_ints") is { } several)
        {
            return [.. several.Ints.Select(i => (long?)i)];
        }

        if (Tensor(value) is not { } tensor || tensor.Dims.Count > 1 || tensor.Dims.Any(dim => dim is < 0 or > MaxElements))
        {
            return null;
        }

        int size = (DataType)tensor.DataType switch { DataType.Int64 => 8, DataType.Int32 => 4, _ => 0 };
        if (size == 0)
        {
            return null;
        }

        byte[] bytes = read(tensor);
        return [.. Enumerable.Range(0, bytes.Length / size).Select(i => (long?)(size == 8
            ? BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(i * size))
            : BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(i * size))))];
    }

    private long?[]? OfNode(NodeProto node, GraphScope scope, int depth)
    {
        if (!GraphText.IsDefaultDomain(node.Domain))
        {
            return null;
        }

        long?[]? In(int i) => Integers(scope.Input(node, i), depth);
        switch (node.OpType)
        {
            case "Identity" or "Cast" or "Unsqueeze" or "Squeeze" or "Reshape":
                return In(0);
            case "Shape":
                return scope.Input(node, 0) is { } shaped ? Dimensions(shaped) : null;
            case "Concat":
                return Concat([.. Enumerable.Range(0, node.Input.Count).Select(In)]);
            case "Gather":
                return In(0) is { } all && In(1) is { } picked
                    ? [.. picked.Select(i => At(all, i))]
                    : In(1)?.Select(i => i == -1 ? LastOfShape(scope.Input(node, 0)) : null).ToArray();
            case "Add":
                return Zip(In(0), In(1), (a, b) => a + b);
            case "Sub":
                return Zip(In(0), In(1), (a, b) => a - b);
            case "Mul":
                return Zip(In(0), In(1), (a, b) => a * b);
            case "Div":
                return Zip(In(0), In(1), (a, b) => b == 0 ? null : a / b);
            default:
                return null;
        }
    }

    private static long? LastOfShape(GraphValue? value) =>
        value?.Producer is { } node && node.Is("Shape") && node.Attribute("end") is null && value.Scope.Input(node, 0) is { } shaped ? LastDimension.Of(shaped) : null;

    private static long?[]? Dimensions(GraphValue value)
    {
        if (value.Initializer is { } tensor)
        {
            return [.. tensor.Dims.Select(dim => (long?)dim)];
        }

        return value.Info?.Type?.TensorType?.Shape is { } shape
            ? [.. shape.Dim.Select(dim => dim.HasDimValue ? dim.DimValue : (long?)null)]
            : null;
    }

    private static long? At(long?[] all, long? index)
    {
        long? place = index < 0 ? index + all.Length : index;
        return place >= 0 && place < all.Length ? all[(int)place.Value] : null;
    }

    private static long?[]? Concat(long?[]?[] parts) => parts.Any(part => part is null) ? LastKnown(parts) : [.. parts.SelectMany(part => part!)];

    // A shape whose front is computed still tells its last dimension: the front stands for one unknown number.
    private static long?[]? LastKnown(long?[]?[] parts) =>
        parts.Length > 0 && parts[^1] is { } last ? [null, .. last] : null;

    private static long?[]? Zip(long?[]? a, long?[]? b, Func<long?, long?, long?> apply)
    {
        if (a is null || b is null || (a.Length != b.Length && a.Length != 1 && b.Length != 1))
        {
            return null;
        }

        return [.. Enumerable.Range(0, Math.Max(a.Length, b.Length)).Select(i => apply(a[a.Length == 1 ? 0 : i], b[b.Length == 1 ? 0 : i]))];
    }
}
