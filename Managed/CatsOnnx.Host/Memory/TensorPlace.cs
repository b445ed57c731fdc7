// SPDX-License-Identifier: MIT
// Where a session's tensors lie: in the process's memory or on a GPU, with the copies between there and here.
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Memory;

/// <summary>The memory of a device. Copies take their turn with the session's runs.</summary>
internal abstract class TensorPlace : IDisposable
{
    /// <summary>What ONNX Runtime calls this memory.</summary>
    public abstract OrtMemoryInfo MemoryInfo { get; }

    /// <summary>Whether a tensor that is bound once is read anew by every run. Where a node runs elsewhere, ONNX Runtime
    /// copies at the binding, and later changes of the tensor need another.</summary>
    public abstract bool BoundInputsStayCurrent { get; }

    /// <summary>The memory of a device.</summary>
    /// <exception cref="NotSupportedException">The device is not there, or its driver does not serve.</exception>
    public static TensorPlace Of(Device device) => device.IsCpu ? CpuPlace.Instance : new CudaPlace(device.Index);

    /// <summary>Zeroed memory.</summary>
    /// <exception cref="OutOfMemoryException">There is not enough.</exception>
    public abstract TensorMemory Allocate(long bytes);

    /// <summary>Copies bytes there before the next run; they may be changed when this returns.</summary>
    public abstract void Write(TensorMemory to, long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Sets bytes to zero before the next run.</summary>
    public abstract void Clear(TensorMemory memory, long offset, long bytes);

    /// <summary>Copies within this memory, between the runs before and after: <paramref name="rows"/> pieces of
    /// <paramref name="width"/> bytes, which begin <paramref name="fromPitch"/> and <paramref name="toPitch"/> bytes apart. Pieces
    /// that overlap are copied in order on the CPU; a GPU wants none that overlap.</summary>
    public abstract void CopyRows(nint from, long fromPitch, nint to, long toPitch, long width, long rows);

    /// <summary>What lies there after the runs so far. It holds until the next run, and the next call with the same buffer.</summary>
    /// <param name="from">The memory.</param>
    /// <param name="offset">The first byte.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="buffer">The caller's buffer for copies, made here when one is needed; the caller disposes it.</param>
    public abstract ReadOnlySpan<byte> Read(TensorMemory from, long offset, int bytes, ref TensorMemory? buffer);

    /// <summary>A tensor over this memory.</summary>
    /// <param name="type">float, float16, bfloat16, int32 or int64.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="start">The address of its first element.</param>
    public OrtValue View(TensorElementType type, long[] shape, nint start)
    {
        long elements = 1;
        foreach (long size in shape)
        {
            elements = checked(elements * size);
        }

        int element = type switch
        {
            TensorElementType.Int64 => sizeof(long),
            TensorElementType.Int32 => sizeof(int),
            _ => FloatBits.Size(type),
        };
        return OrtValue.CreateTensorValueWithData(MemoryInfo, type, shape, start, checked(elements * element));
    }

    public abstract void Dispose();
}
