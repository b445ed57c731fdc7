// SPDX-License-Identifier: MIT
// A block of memory that tensors lie in, wherever that is; freed once.
using System.Runtime.InteropServices;

namespace CatsOnnx.Memory;

/// <summary>A block of zeroed memory, aligned to 64 bytes at least.</summary>
internal abstract class TensorMemory : SafeHandle
{
    private const int Alignment = 64;

    /// <param name="bytes">Its size.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is negative.</exception>
    protected TensorMemory(long bytes)
        : base(0, ownsHandle: true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
    }

    public long Bytes { get; }

    /// <summary>The address of the first byte, in the address space of its device.</summary>
    public nint Start { get; protected init; }

    public override bool IsInvalid => handle == 0;

    /// <summary>Rounds a size up so that what follows it is aligned too.</summary>
    public static long Aligned(long bytes) => (bytes + Alignment - 1) & ~(long)(Alignment - 1);
}
