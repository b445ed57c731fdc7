// SPDX-License-Identifier: MIT
// Looks for NaN and infinity in raw tensor bytes, at memory speed: a value is not finite iff its exponent bits are all set.
using System.Numerics;
using System.Runtime.InteropServices;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>Finite checks over raw little-endian elements.</summary>
internal static class FiniteScan
{
    /// <summary>Whether elements of this type can be NaN or infinite and can be checked.</summary>
    /// <param name="dataType">A TensorProto.DataType as the file has it.</param>
    public static bool Checks(int dataType) => (TensorProto.Types.DataType)dataType is TensorProto.Types.DataType.Float
        or TensorProto.Types.DataType.Double or TensorProto.Types.DataType.Float16 or TensorProto.Types.DataType.Bfloat16;

    /// <summary>Whether every element is finite; true for types that have no NaN.</summary>
    /// <param name="bytes">Whole elements.</param>
    /// <param name="dataType">Their type.</param>
    public static bool IsFinite(ReadOnlySpan<byte> bytes, int dataType) => (TensorProto.Types.DataType)dataType switch
    {
        TensorProto.Types.DataType.Float => Below(bytes, 0x7F80_0000u),
        TensorProto.Types.DataType.Double => Below(bytes, 0x7FF0_0000_0000_0000ul),
        TensorProto.Types.DataType.Float16 => Below(bytes, (ushort)0x7C00),
        TensorProto.Types.DataType.Bfloat16 => Below(bytes, (ushort)0x7F80),
        _ => true,
    };

    private static bool Below<T>(ReadOnlySpan<byte> bytes, T exponent)
        where T : unmanaged, IBinaryInteger<T>
    {
        ReadOnlySpan<T> values = MemoryMarshal.Cast<byte, T>(bytes);
        Vector<T> mask = new(exponent);
        ReadOnlySpan<Vector<T>> vectors = MemoryMarshal.Cast<T, Vector<T>>(values);
        Vector<T> found = Vector<T>.Zero;
        foreach (Vector<T> vector in vectors)
        {
            found |= Vector.Equals(vector & mask, mask);
        }

        if (found != Vector<T>.Zero)
        {
            return false;
        }

        foreach (T value in values[(vectors.Length * Vector<T>.Count)..])
        {
            if ((value & exponent) == exponent)
            {
                return false;
            }
        }

        return true;
    }
}
