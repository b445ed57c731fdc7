// SPDX-License-Identifier: MIT
// From a projection's weight operand to the tensor of the file behind it.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>Resolves weight operands.</summary>
internal static class WeightSource
{
    /// <summary>The matrix behind a weight operand [rows, columns].</summary>
    /// <param name="operand">The operand.</param>
    /// <param name="rowsAreOutputs">Whether the operand is [out, in] (transB = 1) or [in, out].</param>
    /// <param name="reader">The node that reads it, for reasons.</param>
    public static MatchResult<WeightMatrix> Resolve(GraphValue operand, bool rowsAreOutputs, NodeProto reader)
    {
        GraphValue value = operand;
        bool transposed = false;
        for (int depth = 0; value.Producer is { } node && !node.Is("Constant"); depth++)
        {
            if (depth > 8 || node.Input.Count == 0 || value.Scope.Input(node, 0) is not { } behind)
            {
                return NotConstant(operand, reader);
            }

            if (node.Is("Transpose"))
            {
                if (node.Attribute("perm") is { } perm && !perm.Ints.SequenceEqual([1, 0]))
                {
                    return perm.Ints.SequenceEqual([0, 1])
                        ? MatchResult<WeightMatrix>.Miss("a Transpose that transposes nothing stands before the weights", node)
                        : MatchResult<WeightMatrix>.Refused($"the weights '{operand.Name}' go through a Transpose with perm [{string.Join(", ", perm.Ints)}]", node);
                }

                transposed = !transposed;
            }
            else if (!node.Is("Identity"))
            {
                return Computed(node, operand, reader);
            }

            value = behind;
        }

        if (ConstantReader.Tensor(value) is not { } tensor)
        {
            return NotConstant(operand, reader);
        }

        if (tensor.Dims.Count != 2)
        {
            return MatchResult<WeightMatrix>.Refused($"the weights '{tensor.Name}' have the shape [{string.Join(", ", tensor.Dims)}]; a projection has two dimensions", reader);
        }

        if (!ElementTypes.IsFloat(tensor.DataType))
        {
            return MatchResult<WeightMatrix>.Refused($"the weights '{tensor.Name}' are {ElementTypes.Name(tensor.DataType)}; float, float16 and bfloat16 are supported", reader);
        }

        (long rows, long columns) = (tensor.Dims[0], tensor.Dims[1]);
        bool outputsFirst = rowsAreOutputs != transposed;
        return MatchResult<WeightMatrix>.Found(outputsFirst
            ? new WeightMatrix(value, tensor, rows, columns, 0, columns, 1)
            : new WeightMatrix(value, tensor, columns, rows, 0, 1, columns));
    }

    private static MatchResult<WeightMatrix> Computed(NodeProto node, GraphValue operand, NodeProto reader)
    {
        if (node.Is("DequantizeLinear"))
        {
            return MatchResult<WeightMatrix>.Refused($"the weights '{operand.Name}' are quantized (DequantizeLinear)", node);
        }

        return node.Is("Cast") || node.Is("CastLike")
            ? MatchResult<WeightMatrix>.Refused($"the weights '{operand.Name}' are stored in another type and cast", node)
            : NotConstant(operand, reader, node);
    }

    private static MatchResult<WeightMatrix> NotConstant(GraphValue operand, NodeProto reader, NodeProto? node = null) =>
        MatchResult<WeightMatrix>.Refused(
            node is null
                ? $"the weights '{operand.Name}' are not constant"
                : $"the weights '{operand.Name}' are computed by {GraphText.Operator(node)}; they must be constant",
            node ?? reader);
}
