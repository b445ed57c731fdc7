// SPDX-License-Identifier: MIT
// The process's own memory: copies are plain, and reading needs none.
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Memory;

/// <summary>CPU memory.</summary>
internal sealed unsafe class CpuPlace : TensorPlace
{
    private CpuPlace()
    {
    }

    /// <summary>The only one; disposing it does nothing.</summary>
    public static CpuPlace Instance { get; } = new();

    public override OrtMemoryInfo MemoryInfo => OrtMemoryInfo.DefaultInstance;

    public override bool BoundInputsStayCurrent => true;

    public override TensorMemory Allocate(long bytes) => new CpuMemory(bytes);

    public override void Write(TensorMemory to, long offset, ReadOnlySpan<byte> bytes) => bytes.CopyTo(Span(to, offset, bytes.Length));

    public override void Clear(TensorMemory memory, long offset, long bytes) => Span(memory, offset, checked((int)bytes)).Clear();

    public override void CopyRows(nint from, long fromPitch, nint to, long toPitch, long width, long rows)
    {
        for (long row = 0; row < rows; row++)
        {
            Buffer.MemoryCopy((byte*)from + (row * fromPitch), (byte*)to + (row * toPitch), width, width);
        }
    }

    public override ReadOnlySpan<byte> Read(TensorMemory from, long offset, int bytes, ref TensorMemory? buffer) => Span(from, offset, bytes);

    public override void Dispose()
    {
    }

    private static Span<byte> Span(TensorMemory memory, long offset, int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes, memory.Bytes);
        return new Span<byte>((byte*)memory.Start + offset, bytes);
    }
}
