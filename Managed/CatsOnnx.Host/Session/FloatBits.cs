// SPDX-License-Identifier: MIT
// float16 and bfloat16 tensors as float.
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Session;

internal static class FloatBits
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(TensorElementType type) => type is TensorElementType.Float ? 4 : 2;

    /// <summary>Copies elements of type float, float16 or bfloat16 to float.</summary>
    /// <param name="type">What <paramref name="source"/> holds.</param>
    /// <param name="source">The elements' bytes.</param>
    /// <param name="target">As many floats.</param>
    public static void ToSingle(TensorElementType type, ReadOnlySpan<byte> source, Span<float> target)
    {
        switch (type)
        {
            case TensorElementType.Float:
                MemoryMarshal.Cast<byte, float>(source).CopyTo(target);
                break;
            case TensorElementType.Float16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source), target);
                break;
            case TensorElementType.BFloat16:
                ReadOnlySpan<ushort> bits = MemoryMarshal.Cast<byte, ushort>(source);
                Span<uint> wide = MemoryMarshal.Cast<float, uint>(target);
                for (int i = 0; i < bits.Length; i++)
                {
                    wide[i] = (uint)bits[i] << 16;
                }

                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, $"Type {type} is none of float, float16 and bfloat16.");
        }
    }
}
