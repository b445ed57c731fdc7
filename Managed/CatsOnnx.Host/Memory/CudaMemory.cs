// SPDX-License-Identifier: MIT
// Memory that a GPU reads and writes: its own, or pinned memory of the process.
using CatsOnnx.Native;

namespace CatsOnnx.Memory;

/// <summary>Memory of a GPU, or pinned memory of the process: what a GPU writes there is seen after the stream was waited for.</summary>
internal sealed class CudaMemory : TensorMemory
{
    private readonly int _device;
    private readonly bool _pinned;

    /// <param name="device">The GPU.</param>
    /// <param name="bytes">Its size.</param>
    /// <param name="pinned">Whether it is the process's.</param>
    public CudaMemory(int device, long bytes, bool pinned = false)
        : base(bytes)
    {
        _device = device;
        _pinned = pinned;
        using CudaGate.Pass pass = CudaGate.Share();
        CudaDriver.Instance.Enter(device);
        SetHandle(pinned ? CudaDriver.Instance.AllocatePinned(bytes) : CudaDriver.Instance.Allocate(bytes));
        Start = handle;
    }

    protected override bool ReleaseHandle()
    {
        using CudaGate.Pass pass = CudaGate.Share();
        CudaDriver.Instance.Enter(_device); // perhaps on the finalizer's thread
        return _pinned ? CudaDriver.Instance.FreePinned(handle) : CudaDriver.Instance.Free(handle);
    }
}
