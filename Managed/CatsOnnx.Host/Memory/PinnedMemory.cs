// SPDX-License-Identifier: MIT
// Memory of the process that a GPU reads and writes directly.
using CatsOnnx.Native;

namespace CatsOnnx.Memory;

/// <summary>Pinned memory of the process: what a GPU writes there is seen after the stream was waited for.</summary>
internal sealed class PinnedMemory : TensorMemory
{
    private readonly int _device;

    public PinnedMemory(int device, long bytes)
        : base(bytes)
    {
        _device = device;
        using CudaGate.Pass pass = CudaGate.Share();
        CudaDriver.Instance.Enter(device);
        SetHandle(CudaDriver.Instance.AllocatePinned(bytes));
        Start = handle;
    }

    protected override bool ReleaseHandle()
    {
        using CudaGate.Pass pass = CudaGate.Share();
        CudaDriver.Instance.Enter(_device);
        return CudaDriver.Instance.FreePinned(handle);
    }
}
