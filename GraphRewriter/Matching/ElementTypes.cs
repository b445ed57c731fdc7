// SPDX-License-Identifier: MIT
// Names and kinds of the element types that weights have.
using static CatsOnnx.GraphRewriter.Proto.TensorProto.Types;

namespace CatsOnnx.GraphRewriter.Matching;

/// <summary>Element types of ONNX tensors.</summary>
internal static class ElementTypes
{
    /// <summary>Whether the operators compute in this type: float, float16, bfloat16.</summary>
    /// <param name="type">A TensorProto data type.</param>
    public static bool IsFloat(int type) => (DataType)type is DataType.Float or DataType.Float16 or DataType.Bfloat16;

    /// <summary>The type's name as ONNX writes it, in lower case.</summary>
    /// <param name="type">A TensorProto data type.</param>
    public static string Name(int type) =>
        Enum.IsDefined((DataType)type) ? ((DataType)type).ToString().ToLowerInvariant() : $"type {type}";

    /// <summary>Bytes of one element of a float type.</summary>
    /// <param name="type">float, float16 or bfloat16.</param>
    public static int Size(int type) => (DataType)type == DataType.Float ? 4 : 2;
}
