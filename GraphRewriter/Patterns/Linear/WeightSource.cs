// SPDX-License-Identifier: MIT
// From a projection's weight operand to the tensor of the file behind it.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>Resolves weight operands.</summary>
internal static class WeightSource
{
    private const int MaxSteps = 8;

    /// <summary>The matrix behind a weight operand [rows, columns].</summary>
    /// <param name="operand">The operand.</param>
    /// <param name="rowsAreOutputs">Whether the operand is [out, in] (transB = 1) or [in, out].</param>
    /// <param name="reader">The node that reads it, for reasons.</param>
    /// <param name="context">The graph.</param>
    public static MatchResult<WeightMatrix> Resolve(GraphValue operand, bool rowsAreOutputs, NodeProto reader, MatchContext context)
    {
        GraphValue value = operand;
        List<NodeProto> steps = [];
        for (; value.Producer is { } node && !node.Is("Constant"); steps.Add(node))
        {
            if (steps.Count > MaxSteps || node.Input.Count == 0 || value.Scope.Input(node, 0) is not { } behind)
            {
                return NotConstant(operand, reader, node);
            }

            if (!(node.Is("Transpose") || node.Is("Identity") || node.Is("Cast") || LinearForms.IsReshape(node)))
            {
                return Computed(node, operand, reader);
            }

            value = behind;
        }

        if (ConstantReader.Tensor(value) is not { } tensor)
        {
            return NotConstant(operand, reader);
        }

        if (!ElementTypes.IsFloat(tensor.DataType))
        {
            return MatchResult<WeightMatrix>.Refused($"the weights '{tensor.Name}' are {ElementTypes.Name(tensor.DataType)}; float, float16 and bfloat16 are supported", reader);
        }

        WeightView? view = WeightView.Of(tensor);
        for (int i = steps.Count - 1; i >= 0; i--)
        {
            NodeProto step = steps[i];
            if (step.Is("Cast") && step.Int("to", 0) != tensor.DataType)
            {
                string stored = ElementTypes.Name(tensor.DataType);
                return MatchResult<WeightMatrix>.Refused(
                    $"the weights '{tensor.Name}' are stored as {stored} and cast to {ElementTypes.Name((int)step.Int("to", 0))} at run time; "
                    + "the fused operator reads weights in the type they are stored in: export the model in one type", step);
            }

            view = view.Through(step, context);
            if (view is null)
            {
                return MatchResult<WeightMatrix>.Refused($"the weights '{tensor.Name}' go through a {step.OpType} that is no view of a matrix: {GraphText.Line(step)}", step);
            }
        }

        if (view.Matrix() is not { } matrix)
        {
            return MatchResult<WeightMatrix>.Refused($"the weights '{tensor.Name}' have the shape [{string.Join(", ", view.Dims)}]; a projection has two dimensions", reader);
        }

        return MatchResult<WeightMatrix>.Found((rowsAreOutputs
            ? new WeightMatrix(value, tensor, matrix.Rows, matrix.Columns, 0, matrix.RowStride, matrix.ColumnStride)
            : new WeightMatrix(value, tensor, matrix.Columns, matrix.Rows, 0, matrix.ColumnStride, matrix.RowStride)) with { Rank = view.Dims.Count });
    }

    private static MatchResult<WeightMatrix> Computed(NodeProto node, GraphValue operand, NodeProto reader)
    {
        if (node.Is("DequantizeLinear"))
        {
            return MatchResult<WeightMatrix>.Refused($"the weights '{operand.Name}' are quantized (DequantizeLinear)", node);
        }

        return node.Is("CastLike")
            ? MatchResult<WeightMatrix>.Refused($"the weights '{operand.Name}' are cast by CastLike to a type that the file does not state", node)
            : NotConstant(operand, reader, node);
    }

    private static MatchResult<WeightMatrix> NotConstant(GraphValue operand, NodeProto reader, NodeProto? node = null) =>
        MatchResult<WeightMatrix>.Refused(
            node is null
                ? $"the weights '{operand.Name}' are not constant"
                : $"the weights '{operand.Name}' are computed by {GraphText.Operator(node)}; they must be constant",
            node ?? reader);
}
