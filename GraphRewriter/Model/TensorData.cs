// SPDX-License-Identifier: MIT
// Checks the data of one tensor message against its type and shape, and gives typed fields as raw bytes.
using System.Buffers.Binary;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Storage;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>The data that a TensorProto holds itself.</summary>
internal static class TensorData
{
    /// <summary>What is wrong with the tensor, or null. External data is looked at by its reader.</summary>
    /// <param name="tensor">A tensor of a parsed graph.</param>
    /// <param name="elided">The bytes that were left in the file, or null.</param>
    public static string? Fault(TensorProto tensor, InlineData? elided)
    {
        long elements;
        try
        {
            elements = ElementType.Elements(tensor);
        }
        catch (OverflowException)
        {
            return $"the dimensions [{string.Join(", ", tensor.Dims)}] are negative or overflow 64 bits";
        }

        int bits = ElementType.Bits(tensor.DataType);
        if (tensor.Segment is not null)
        {
            return "it is stored in segments, which no runtime reads";
        }

        int fields = (tensor.HasRawData ? 1 : 0) + Count(tensor.FloatData.Count) + Count(tensor.Int32Data.Count) + Count(tensor.StringData.Count)
            + Count(tensor.Int64Data.Count) + Count(tensor.DoubleData.Count) + Count(tensor.Uint64Data.Count) + (elided is null ? 0 : 1);
        bool external = tensor.DataLocation == TensorProto.Types.DataLocation.External;
        if (external)
        {
            return fields > 0 ? "it has both external data and data of its own" : null;
        }

        if (tensor.ExternalData.Count > (elided is null ? 0 : 1))
        {
            return "it has external data entries, but its data location is not EXTERNAL";
        }

        if (fields > 1)
        {
            return "it has data in more than one field";
        }

        if (fields == 0)
        {
            return elements == 0 ? null : $"it has no data for its {elements} elements";
        }

        try
        {
            if (tensor.HasRawData || elided?.Field == 9)
            {
                if (tensor.DataType == (int)TensorProto.Types.DataType.String)
                {
                    return "strings cannot be raw data";
                }

                long have = elided?.Location.Length ?? tensor.RawData.Length;
                return bits == 0 || have == CheckedSize.BytesOf(elements, bits)
                    ? null
                    : $"it has {have} bytes of raw data; its shape [{string.Join(", ", tensor.Dims)}] asks for {CheckedSize.BytesOf(elements, bits)}";
            }

            (long count, long expected, bool fits) = Typed(tensor, elided, elements, bits);
            return !fits
                ? $"its data is in a field that is not for elements of type {tensor.DataType}"
                : count == expected ? null : $"it has {count} values; its shape [{string.Join(", ", tensor.Dims)}] asks for {expected}";
        }
        catch (OverflowException)
        {
            return $"the size of [{string.Join(", ", tensor.Dims)}] overflows 64 bits";
        }

        static int Count(int count) => count > 0 ? 1 : 0;
    }

    /// <summary>The raw bytes of a tensor whose data is in the message: raw data, or typed fields converted.</summary>
    public static ReadOnlyMemory<byte> Raw(TensorProto tensor)
    {
        if (tensor.HasRawData)
        {
            return tensor.RawData.Memory;
        }

        if (tensor.FloatData.Count > 0)
        {
            return Convert(tensor.FloatData, sizeof(float), BinaryPrimitives.WriteSingleLittleEndian);
        }

        if (tensor.DoubleData.Count > 0)
        {
            return Convert(tensor.DoubleData, sizeof(double), BinaryPrimitives.WriteDoubleLittleEndian);
        }

        if (tensor.Int64Data.Count > 0)
        {
            return Convert(tensor.Int64Data, sizeof(long), BinaryPrimitives.WriteInt64LittleEndian);
        }

        if (tensor.Uint64Data.Count > 0)
        {
            return ElementType.Bits(tensor.DataType) == 64
                ? Convert(tensor.Uint64Data, sizeof(ulong), BinaryPrimitives.WriteUInt64LittleEndian)
                : Convert(tensor.Uint64Data, sizeof(uint), static (span, value) => BinaryPrimitives.WriteUInt32LittleEndian(span, (uint)value));
        }

        return ElementType.Bits(tensor.DataType) switch
        {
            32 => Convert(tensor.Int32Data, sizeof(int), BinaryPrimitives.WriteInt32LittleEndian),
            16 => Convert(tensor.Int32Data, sizeof(short), static (span, value) => BinaryPrimitives.WriteInt16LittleEndian(span, (short)value)),
            _ => Convert(tensor.Int32Data, sizeof(byte), static (span, value) => span[0] = (byte)value),
        };
    }

    private static (long Count, long Expected, bool Fits) Typed(TensorProto tensor, InlineData? elided, long elements, int bits)
    {
        TensorProto.Types.DataType type = (TensorProto.Types.DataType)tensor.DataType;
        bool complex = type is TensorProto.Types.DataType.Complex64 or TensorProto.Types.DataType.Complex128;
        long parts = complex ? CheckedSize.Product(elements, 2) : elements;
        if (tensor.FloatData.Count > 0 || elided?.Field == 4)
        {
            return (elided?.Location.Length / sizeof(float) ?? tensor.FloatData.Count, parts,
                type is TensorProto.Types.DataType.Float or TensorProto.Types.DataType.Complex64 && (elided?.Location.Length ?? 0) % sizeof(float) == 0);
        }

        if (tensor.DoubleData.Count > 0 || elided?.Field == 10)
        {
            return (elided?.Location.Length / sizeof(double) ?? tensor.DoubleData.Count, parts,
                type is TensorProto.Types.DataType.Double or TensorProto.Types.DataType.Complex128 && (elided?.Location.Length ?? 0) % sizeof(double) == 0);
        }

        if (tensor.Int64Data.Count > 0)
        {
            return (tensor.Int64Data.Count, elements, type == TensorProto.Types.DataType.Int64);
        }

        if (tensor.Uint64Data.Count > 0)
        {
            return (tensor.Uint64Data.Count, elements, type is TensorProto.Types.DataType.Uint64 or TensorProto.Types.DataType.Uint32);
        }

        if (tensor.StringData.Count > 0)
        {
            return (tensor.StringData.Count, elements, type == TensorProto.Types.DataType.String);
        }

        return (tensor.Int32Data.Count, bits is > 0 and < 8 ? CheckedSize.BytesOf(elements, bits) : elements,
            bits is > 0 and <= 16 || type == TensorProto.Types.DataType.Int32);
    }

    private delegate void WriteValue<T>(Span<byte> destination, T value);

    private static byte[] Convert<T>(IReadOnlyList<T> values, int size, WriteValue<T> write)
    {
        byte[] bytes = new byte[checked(values.Count * size)];
        for (int i = 0; i < values.Count; i++)
        {
            write(bytes.AsSpan(i * size, size), values[i]);
        }

        return bytes;
    }
}
