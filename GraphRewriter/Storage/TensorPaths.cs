// SPDX-License-Identifier: MIT
// Which fields of which ONNX messages lead to tensors; all others are opaque to the wire scan and to its way back.
namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>A message on the way to a tensor.</summary>
internal enum TensorPath
{
    Other, Model, Graph, Node, Attribute, Tensor, SparseTensor, Function, Training,
}

/// <summary>The fields that lead on.</summary>
internal static class TensorPaths
{
    /// <summary>What the message in a field of <paramref name="parent"/> is.</summary>
    public static TensorPath ChildOf(TensorPath parent, int field) => (parent, field) switch
    {
        (TensorPath.Model, 7) => TensorPath.Graph,
        (TensorPath.Model, 20) => TensorPath.Training,
        (TensorPath.Model, 25) => TensorPath.Function,
        (TensorPath.Training, 1 or 2) => TensorPath.Graph,
        (TensorPath.Graph, 1) => TensorPath.Node,
        (TensorPath.Graph, 5) => TensorPath.Tensor,
        (TensorPath.Graph, 15) => TensorPath.SparseTensor,
        (TensorPath.Node, 5) => TensorPath.Attribute,
        (TensorPath.Function, 7) => TensorPath.Node,
        (TensorPath.Function, 11) => TensorPath.Attribute,
        (TensorPath.Attribute, 5 or 10) => TensorPath.Tensor,
        (TensorPath.Attribute, 6 or 11) => TensorPath.Graph,
        (TensorPath.Attribute, 22 or 23) => TensorPath.SparseTensor,
        (TensorPath.SparseTensor, 1 or 2) => TensorPath.Tensor,
        _ => TensorPath.Other,
    };
}
