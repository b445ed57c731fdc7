// SPDX-License-Identifier: MIT
// Native memory of the process.
using System.Runtime.InteropServices;

namespace CatsOnnx.Memory;

/// <summary>Zeroed native memory.</summary>
internal sealed unsafe class CpuMemory : TensorMemory
{
    private const int Alignment = 64;

    public CpuMemory(long bytes)
        : base(bytes)
    {
        // Zeroed by the system page by page when first touched, so unused capacity costs no memory.
        SetHandle((nint)NativeMemory.AllocZeroed((nuint)bytes + Alignment));
        GC.AddMemoryPressure(bytes + Alignment);
        Start = (handle + Alignment - 1) & ~(nint)(Alignment - 1);
    }

    protected override bool ReleaseHandle()
    {
        NativeMemory.Free((void*)handle);
        GC.RemoveMemoryPressure(Bytes + Alignment);
        return true;
    }
}
