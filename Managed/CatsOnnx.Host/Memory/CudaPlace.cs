// SPDX-License-Identifier: MIT
// A GPU's memory, and the stream that a session's runs and copies share, so that each sees what came before it.
using CatsOnnx.Native;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Memory;

/// <summary>Memory of a GPU with a stream of its own.</summary>
internal sealed unsafe class CudaPlace : TensorPlace
{
    private readonly CudaDriver _driver = CudaDriver.Instance;
    private nint _stream;

    /// <exception cref="NotSupportedException">The GPU is not there, or its driver does not serve.</exception>
    public CudaPlace(int device)
    {
        using CudaGate.Pass pass = CudaGate.Share();
        _driver.Enter(device);
        Device = device;
        _stream = _driver.CreateStream();
        MemoryInfo = new OrtMemoryInfo(OrtMemoryInfo.allocatorCUDA, OrtAllocatorType.DeviceAllocator, device, OrtMemType.Default);
    }

    public int Device { get; }

    /// <summary>The stream, a CUstream.</summary>
    public nint Stream => _stream;

    public override OrtMemoryInfo MemoryInfo { get; }

    // A node on the CPU reads a copy that is made when the tensor is bound.
    public override bool BoundInputsStayCurrent => false;

    public override TensorMemory Allocate(long bytes)
    {
        using CudaGate.Pass pass = CudaGate.Share();
        CudaMemory memory = new(Device, bytes);
        _driver.Set(memory.Start, 0, bytes, _stream);
        return memory;
    }

    public override void Write(TensorMemory to, long offset, ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes.Length, to.Bytes);
        using CudaGate.Pass pass = CudaGate.Share();
        _driver.Enter(Device);
        fixed (byte* from = bytes)
        {
            _driver.ToDevice(to.Start + (nint)offset, from, bytes.Length, _stream);
        }
    }

    public override void Clear(TensorMemory memory, long offset, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes, memory.Bytes);
        using CudaGate.Pass pass = CudaGate.Share();
        _driver.Enter(Device);
        _driver.Set(memory.Start + (nint)offset, 0, bytes, _stream);
    }

    public override void CopyRows(nint from, long fromPitch, nint to, long toPitch, long width, long rows)
    {
        using CudaGate.Pass pass = CudaGate.Share();
        _driver.Enter(Device);
        _driver.CopyRows(from, fromPitch, to, toPitch, width, rows, _stream);
    }

    public override ReadOnlySpan<byte> Read(TensorMemory from, long offset, int bytes, ref TensorMemory? buffer)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes, from.Bytes);
        using CudaGate.Pass pass = CudaGate.Share();
        if (buffer is null || buffer.Bytes < bytes)
        {
            buffer?.Dispose();
            buffer = new CudaMemory(Device, bytes, pinned: true);
        }

        _driver.Enter(Device);
        _driver.ToHost((void*)buffer.Start, from.Start + (nint)offset, bytes, _stream);
        _driver.Synchronize(_stream);
        return new ReadOnlySpan<byte>((void*)buffer.Start, bytes);
    }

    /// <summary>Copies to the process in the stream's order; it is there when an event that is recorded later has come.</summary>
    public void Copy(TensorMemory from, long fromOffset, CudaMemory to, long toOffset, int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(fromOffset + bytes, from.Bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(toOffset + bytes, to.Bytes);
        using CudaGate.Pass pass = CudaGate.Share();
        _driver.Enter(Device);
        _driver.ToHost((void*)(to.Start + (nint)toOffset), from.Start + (nint)fromOffset, bytes, _stream);
    }

    /// <summary>Marks the place in the stream that waiting for this event waits for.</summary>
    public void Record(nint done)
    {
        _driver.Enter(Device);
        _driver.Record(done, _stream);
    }

    /// <summary>Waits for the runs and copies so far.</summary>
    public void Synchronize()
    {
        using CudaGate.Pass pass = CudaGate.Share();
        _driver.Enter(Device);
        _driver.Synchronize(_stream);
    }

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _stream, 0) is nint stream && stream != 0)
        {
            using CudaGate.Pass pass = CudaGate.Share();
            _driver.Enter(Device);
            _driver.Synchronize(stream);
            _driver.DestroyStream(stream);
            MemoryInfo.Dispose();
        }
    }
}
