// SPDX-License-Identifier: MIT
// What every form of a projection is brought to: input, weight matrix, bias, and the nodes that compute it.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>A weight matrix in the layout its file has: element (out, in) lies at Offset + out * OutStride + in * InStride.</summary>
/// <param name="Value">The initializer or constant that holds it.</param>
/// <param name="Tensor">Its tensor, of <paramref name="Value"/>'s type.</param>
/// <param name="OutFeatures">Number of output features.</param>
/// <param name="InFeatures">Number of input features.</param>
/// <param name="Offset">Element where (0, 0) lies.</param>
/// <param name="OutStride">Elements from one output feature to the next.</param>
/// <param name="InStride">Elements from one input feature to the next.</param>
internal sealed record WeightMatrix(
    GraphValue Value, TensorProto Tensor, long OutFeatures, long InFeatures, long Offset, long OutStride, long InStride)
{
    /// <summary>Dimensions of the operand: more than two where dimensions of 1 stand before the matrix.</summary>
    public int Rank { get; init; } = 2;

    /// <summary>Every <paramref name="step"/>th output feature from <paramref name="start"/> on.</summary>
    /// <param name="start">First feature.</param>
    /// <param name="step">Distance.</param>
    /// <param name="count">Number of features.</param>
    public WeightMatrix Rows(long start, long step, long count) =>
        this with { OutFeatures = count, Offset = Offset + start * OutStride, OutStride = OutStride * step };
}

/// <summary>A bias: element i lies at Offset + i * Stride.</summary>
/// <param name="Value">The initializer or constant that holds it.</param>
/// <param name="Tensor">Its tensor.</param>
/// <param name="Offset">First element.</param>
/// <param name="Stride">Elements from one to the next.</param>
/// <param name="Length">Number of elements.</param>
internal sealed record BiasVector(GraphValue Value, TensorProto Tensor, long Offset, long Stride, long Length)
{
    /// <summary>Every <paramref name="step"/>th element from <paramref name="start"/> on.</summary>
    /// <param name="start">First element.</param>
    /// <param name="step">Distance.</param>
    /// <param name="count">Number of elements.</param>
    public BiasVector Rows(long start, long step, long count) =>
        this with { Length = count, Offset = Offset + start * Stride, Stride = Stride * step };
}

/// <summary>A projection: output = input weight^T + bias.</summary>
/// <param name="Form">The form's name.</param>
/// <param name="Input">[..., in features].</param>
/// <param name="Weight">The matrix; null where the weights are quantized.</param>
/// <param name="Bias">The bias, if any.</param>
/// <param name="Nodes">The nodes from input to output; none of them makes a weight.</param>
/// <param name="IsRankTwo">Whether its input is [rows, features], so that reshapes around it only count rows anew.</param>
/// <param name="Quantization">How the weights are quantized; null for float weights.</param>
internal sealed record LinearMatch(
    string Form, GraphValue Input, WeightMatrix? Weight, BiasVector? Bias, IReadOnlyList<NodeProto> Nodes, bool IsRankTwo, string? Quantization);
