// SPDX-License-Identifier: MIT
// Memory of a GPU.
using CatsOnnx.Native;

namespace CatsOnnx.Memory;

/// <summary>Memory of a GPU.</summary>
internal sealed class CudaMemory : TensorMemory
{
    private readonly int _device;

    public CudaMemory(int device, long bytes)
        : base(bytes)
    {
        _device = device;
        using CudaGate.Pass pass = CudaGate.Share();
        CudaDriver.Instance.Enter(device);
        SetHandle(CudaDriver.Instance.Allocate(bytes));
        Start = handle;
    }

    protected override bool ReleaseHandle()
    {
        using CudaGate.Pass pass = CudaGate.Share();
        CudaDriver.Instance.Enter(_device); // perhaps on the finalizer's thread
        return CudaDriver.Instance.Free(handle);
    }
}
