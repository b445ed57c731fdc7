// SPDX-License-Identifier: MIT
// On which device ONNX Runtime placed the nodes of ai.cats, from the kernels that it made.
using CatsOnnx.Native;

namespace CatsOnnx.Session;

/// <summary>Numbers of kernels of ai.cats operators.</summary>
/// <param name="Cpu">Those for the CPU.</param>
/// <param name="Cuda">Those for a CUDA GPU.</param>
public readonly record struct CatsPlacement(long Cpu, long Cuda)
{
    /// <summary>The kernels that one number of kernels is more than another.</summary>
    /// <param name="left">The later count.</param>
    /// <param name="right">The earlier count.</param>
    /// <returns>The differences by device; negative where the right one is more.</returns>
    public static CatsPlacement operator -(CatsPlacement left, CatsPlacement right) => new(left.Cpu - right.Cpu, left.Cuda - right.Cuda);

    /// <summary>The kernels made on this thread so far (ONNX Runtime makes those of a session where the session
    /// is made); none where the native library is not loaded.</summary>
    internal static CatsPlacement Now() => new(CustomOpLibrary.KernelsMade(0), CustomOpLibrary.KernelsMade(1));
}
