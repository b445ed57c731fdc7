// SPDX-License-Identifier: MIT
// The sizes of ONNX element types and the number of bytes that a tensor's shape asks for.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>Sizes of ONNX element types.</summary>
internal static class ElementType
{
    /// <summary>Bits of one element as stored in raw data; 0 for strings and for types this version does not know.</summary>
    /// <param name="dataType">A TensorProto.DataType as the file has it.</param>
    public static int Bits(int dataType) => (TensorProto.Types.DataType)dataType switch
    {
        TensorProto.Types.DataType.Double or TensorProto.Types.DataType.Int64 or TensorProto.Types.DataType.Uint64
            or TensorProto.Types.DataType.Complex64 => 64,
        TensorProto.Types.DataType.Complex128 => 128,
        TensorProto.Types.DataType.Float or TensorProto.Types.DataType.Int32 or TensorProto.Types.DataType.Uint32 => 32,
        TensorProto.Types.DataType.Float16 or TensorProto.Types.DataType.Bfloat16 or TensorProto.Types.DataType.Int16
            or TensorProto.Types.DataType.Uint16 => 16,
        TensorProto.Types.DataType.Int8 or TensorProto.Types.DataType.Uint8 or TensorProto.Types.DataType.Bool
            or TensorProto.Types.DataType.Float8E4M3Fn or TensorProto.Types.DataType.Float8E4M3Fnuz
            or TensorProto.Types.DataType.Float8E5M2 or TensorProto.Types.DataType.Float8E5M2Fnuz
            or TensorProto.Types.DataType.Float8E8M0 => 8,
        TensorProto.Types.DataType.Uint4 or TensorProto.Types.DataType.Int4 or TensorProto.Types.DataType.Float4E2M1 => 4,
        TensorProto.Types.DataType.Uint2 or TensorProto.Types.DataType.Int2 => 2,
        _ => 0,
    };

    /// <summary>Bytes of one element of a type that a piece can move: 1, 2, 4 or 8.</summary>
    /// <param name="dataType">A TensorProto.DataType as the file has it.</param>
    /// <exception cref="ArgumentException">The type is packed, wider than 8 bytes, a string or unknown.</exception>
    public static int Bytes(int dataType) => Bits(dataType) is 8 or 16 or 32 or 64
        ? Bits(dataType) / 8
        : throw new ArgumentException($"Elements of type {dataType} are not 1, 2, 4 or 8 bytes wide.", nameof(dataType));

    /// <summary>Number of elements of a tensor.</summary>
    /// <param name="tensor">Its dims and data type are looked at, not its data.</param>
    /// <returns>The product of its dims: 1 for a scalar, 0 where a dim is 0.</returns>
    /// <exception cref="OverflowException">A dimension is negative or the product does not fit 63 bits.</exception>
    public static long Elements(TensorProto tensor)
    {
        long product = 1;
        foreach (long dimension in tensor.Dims)
        {
            product = CheckedSize.Product(product, dimension);
        }

        return product;
    }

    /// <summary>Number of bytes that a tensor's type and shape ask for, as raw data.</summary>
    /// <param name="tensor">Its dims and data type are looked at, not its data.</param>
    /// <returns>Bytes; packed 4-bit and 2-bit elements are rounded up to whole bytes.</returns>
    /// <exception cref="OverflowException">A dimension is negative or the size does not fit 63 bits.</exception>
    /// <exception cref="ArgumentException">The type is a string or unknown.</exception>
    public static long ByteLength(TensorProto tensor)
    {
        int bits = Bits(tensor.DataType);
        return bits == 0
            ? throw new ArgumentException($"Elements of type {tensor.DataType} have no fixed size.", nameof(tensor))
            : CheckedSize.BytesOf(Elements(tensor), bits);
    }
}
