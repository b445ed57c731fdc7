// SPDX-License-Identifier: MIT
// The small input tensors of a language model: ids, mask, positions, flags.
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Session;

internal static class TokenTensors
{
    /// <summary>An integer tensor [1, length].</summary>
    public static OrtValue Make(TensorElementType type, int length) => OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, type, [1, length]);

    /// <summary>A bool tensor [1].</summary>
    public static OrtValue MakeFlag(bool value)
    {
        OrtValue flag = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.Bool, [1]);
        flag.GetTensorMutableDataAsSpan<bool>()[0] = value;
        return flag;
    }

    /// <summary>A float tensor of the input's shape, free axes 1.</summary>
    public static OrtValue MakeScalar(RoleInput input) => OrtValue.CreateAllocatedTensorValue(
        OrtAllocator.DefaultInstance, TensorElementType.Float, [.. input.Dimensions.Select(size => (long)Math.Max(size, 1))]);

    /// <summary>Writes ids [length] into an int32 or int64 tensor [1, length].</summary>
    public static void Fill(OrtValue tensor, ReadOnlySpan<int> ids)
    {
        if (IsWide(tensor))
        {
            Span<long> wide = tensor.GetTensorMutableDataAsSpan<long>();
            for (int i = 0; i < ids.Length; i++)
            {
                wide[i] = ids[i];
            }
        }
        else
        {
            ids.CopyTo(tensor.GetTensorMutableDataAsSpan<int>());
        }
    }

    public static void FillWithOnes(OrtValue tensor)
    {
        if (IsWide(tensor))
        {
            tensor.GetTensorMutableDataAsSpan<long>().Fill(1);
        }
        else
        {
            tensor.GetTensorMutableDataAsSpan<int>().Fill(1);
        }
    }

    /// <summary>Writes first, first + 1, ... into an int32 or int64 tensor.</summary>
    public static void FillWithRange(OrtValue tensor, int first)
    {
        if (IsWide(tensor))
        {
            Span<long> wide = tensor.GetTensorMutableDataAsSpan<long>();
            for (int i = 0; i < wide.Length; i++)
            {
                wide[i] = first + i;
            }
        }
        else
        {
            Span<int> narrow = tensor.GetTensorMutableDataAsSpan<int>();
            for (int i = 0; i < narrow.Length; i++)
            {
                narrow[i] = first + i;
            }
        }
    }

    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public static void CheckIds(ReadOnlySpan<int> ids, int vocabSize)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)vocabSize)
            {
                throw new ArgumentOutOfRangeException(nameof(ids), ids[i], $"Token id {ids[i]} at position {i} is not in 0 to {vocabSize - 1}, the model's vocabulary.");
            }
        }
    }

    private static bool IsWide(OrtValue tensor) => tensor.GetTensorTypeAndShape().ElementDataType == TensorElementType.Int64;
}
