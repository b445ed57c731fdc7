// SPDX-License-Identifier: MIT
// Native memory for keys and values: zeroed, aligned, freed once.
using System.Runtime.InteropServices;

namespace CatsOnnx.Generation;

/// <summary>A block of zeroed native memory, aligned to 64 bytes.</summary>
internal sealed unsafe class CacheMemory : SafeHandle
{
    private const int Alignment = 64;

    public CacheMemory(long bytes)
        : base(0, ownsHandle: true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);

        // Zeroed by the system page by page when first touched, so unused capacity costs no memory.
        SetHandle((nint)NativeMemory.AllocZeroed((nuint)bytes + Alignment));
        GC.AddMemoryPressure(bytes + Alignment);
        Bytes = bytes;
        Start = (handle + Alignment - 1) & ~(nint)(Alignment - 1);
    }

    public long Bytes { get; }

    /// <summary>The first byte.</summary>
    public nint Start { get; }

    public override bool IsInvalid => handle == 0;

    /// <summary>Rounds a size up so that what follows it is aligned too.</summary>
    public static long Aligned(long bytes) => (bytes + Alignment - 1) & ~(long)(Alignment - 1);

    protected override bool ReleaseHandle()
    {
        NativeMemory.Free((void*)handle);
        GC.RemoveMemoryPressure(Bytes + Alignment);
        return true;
    }
}
