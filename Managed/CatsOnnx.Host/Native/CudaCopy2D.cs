// SPDX-License-Identifier: MIT
// CUDA_MEMCPY2D of NVIDIA's driver: a copy of pieces that lie at equal distances.
// https://docs.nvidia.com/cuda/cuda-driver-api/structCUDA__MEMCPY2D__v2.html
using System.Runtime.InteropServices;

namespace CatsOnnx.Native;

/// <summary>The struct as the driver lays it out; fields that are not set are 0.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CudaCopy2D
{
    private const uint Device = 2; // CU_MEMORYTYPE_DEVICE

    public nuint SourceX;
    public nuint SourceY;
    public uint SourceType;
    public nint SourceHost;
    public nint SourceDevice;
    public nint SourceArray;
    public nuint SourcePitch;
    public nuint TargetX;
    public nuint TargetY;
    public uint TargetType;
    public nint TargetHost;
    public nint TargetDevice;
    public nint TargetArray;
    public nuint TargetPitch;
    public nuint Width;
    public nuint Height;

    /// <summary>A copy between two addresses of one GPU, sizes in bytes.</summary>
    public static CudaCopy2D OnDevice(nint from, long fromPitch, nint to, long toPitch, long width, long rows) => new()
    {
        SourceType = Device,
        SourceDevice = from,
        SourcePitch = (nuint)fromPitch,
        TargetType = Device,
        TargetDevice = to,
        TargetPitch = (nuint)toPitch,
        Width = (nuint)width,
        Height = (nuint)rows,
    };
}
