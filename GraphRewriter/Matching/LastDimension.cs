// SPDX-License-Identifier: MIT
// The last dimension of a value whose shape the file does not state: weights tell how many features a product gives.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Matching;

/// <summary>Reads the last dimension off the nodes that make a value.</summary>
internal static class LastDimension
{
    private const int MaxSteps = 16;

    /// <summary>The last dimension, or null where the file does not tell.</summary>
    /// <param name="value">The value.</param>
    public static long? Of(GraphValue value)
    {
        for (int step = 0; step < MaxSteps; step++)
        {
            if (Stated(value) is { } stated)
            {
                return stated;
            }

            if (value.Producer is not { } node || node.Input.Count == 0 || value.Scope.Input(node, 0) is not { } first)
            {
                return null;
            }

            GraphValue? second = value.Scope.Input(node, 1);
            switch (node.OpType)
            {
                case "MatMul" when second is not null:
                    value = second;
                    break;
                case "Gemm" or "FusedMatMul" when second is not null && node.Int("transB", 0) == 0:
                    value = second;
                    break;
                case "Gemm" or "FusedMatMul":
                    return second is not null && Stated(second, fromEnd: 2) is { } rows ? rows : null;
                case "Transpose":
                    // Of a matrix of weights, which has two dimensions.
                    return ConstantReader.Tensor(first)?.Dims is [var features, _] && node.Attribute("perm")?.Ints is not [0, 1] ? features : null;
                case "Add" when second is not null && Stated(second) is > 1 and { } bias:
                    return bias;
                case "Add" when second is not null && Stated(first) is > 1 and { } bias:
                    return bias;
                case "Identity" or "Cast" or "Dropout":
                    value = first;
                    break;
                default:
                    return null;
            }
        }

        return null;
    }

    private static long? Stated(GraphValue value, int fromEnd = 1)
    {
        if (ConstantReader.Tensor(value) is { } tensor)
        {
            return tensor.Dims.Count >= fromEnd ? tensor.Dims[^fromEnd] : null;
        }

        return value.Info?.Type?.TensorType?.Shape is { } shape && shape.Dim.Count >= fromEnd && shape.Dim[^fromEnd].HasDimValue
            ? shape.Dim[^fromEnd].DimValue
            : null;
    }
}
