// SPDX-License-Identifier: MIT
// The functions of NVIDIA's driver that the host needs: memory, copies and a stream. The driver comes with the GPU, so no
// CUDA toolkit is needed here. https://docs.nvidia.com/cuda/cuda-driver-api/
using System.Globalization;
using System.Runtime.InteropServices;

namespace CatsOnnx.Native;

/// <summary>The CUDA driver, loaded when first needed. Its contexts are those that ONNX Runtime uses (the primary ones).</summary>
internal sealed unsafe class CudaDriver
{
    /// <summary>What CUDA 13 programs need.</summary>
    public const int NeededCuda = 13000;

    private static readonly Lazy<CudaDriver> s_driver = new(() => new CudaDriver());

    private readonly nint _library;
    private readonly nint[] _contexts; // of each device: its primary context, 0 until used; never given back
    private readonly Lock _lock = new();
    private readonly delegate* unmanaged[Cdecl]<nint, int> _setCurrent;
    private readonly delegate* unmanaged[Cdecl]<nint*, nuint, int> _allocate;
    private readonly delegate* unmanaged[Cdecl]<nint, int> _free;
    private readonly delegate* unmanaged[Cdecl]<nint*, nuint, uint, int> _allocatePinned;
    private readonly delegate* unmanaged[Cdecl]<nint, int> _freePinned;
    private readonly delegate* unmanaged[Cdecl]<nint, byte, nuint, nint, int> _set;
    private readonly delegate* unmanaged[Cdecl]<nint, void*, nuint, nint, int> _toDevice;
    private readonly delegate* unmanaged[Cdecl]<void*, nint, nuint, nint, int> _toHost;
    private readonly delegate* unmanaged[Cdecl]<CudaCopy2D*, nint, int> _copy2D;
    private readonly delegate* unmanaged[Cdecl]<nint*, uint, int> _createStream;
    private readonly delegate* unmanaged[Cdecl]<nint, int> _destroyStream;
    private readonly delegate* unmanaged[Cdecl]<nint, int> _synchronize;
    private readonly delegate* unmanaged[Cdecl]<nint*, uint, int> _createEvent;
    private readonly delegate* unmanaged[Cdecl]<nint, int> _destroyEvent;
    private readonly delegate* unmanaged[Cdecl]<nint, nint, int> _record;
    private readonly delegate* unmanaged[Cdecl]<nint, int> _wait;

    private CudaDriver()
    {
        string name = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
        if (!NativeLibrary.TryLoad(name, out _library))
        {
            throw new NotSupportedException($"There is no NVIDIA driver here: {name} was not found. CUDA 13 needs driver 580 or newer.");
        }

        int status = ((delegate* unmanaged[Cdecl]<uint, int>)Export("cuInit"))(0);
        if (status != 0)
        {
            throw new NotSupportedException($"NVIDIA's driver cannot be used: cuInit gave {NameOf(status)}. Is there a GPU, and does this process (or container) see it? CUDA 13 needs driver 580 or newer.");
        }

        int version = 0;
        Check(((delegate* unmanaged[Cdecl]<int*, int>)Export("cuDriverGetVersion"))(&version), "cuDriverGetVersion");
        CudaVersion = version;
        if (version < NeededCuda)
        {
            throw new NotSupportedException(string.Create(CultureInfo.InvariantCulture,
                $"NVIDIA's driver is for CUDA {version / 1000}.{version % 1000 / 10}; CUDA {NeededCuda / 1000} needs driver 580 or newer."));
        }

        int count = 0;
        Check(((delegate* unmanaged[Cdecl]<int*, int>)Export("cuDeviceGetCount"))(&count), "cuDeviceGetCount");
        _contexts = new nint[count];
        _setCurrent = (delegate* unmanaged[Cdecl]<nint, int>)Export("cuCtxSetCurrent");
        _allocate = (delegate* unmanaged[Cdecl]<nint*, nuint, int>)Export("cuMemAlloc_v2");
        _free = (delegate* unmanaged[Cdecl]<nint, int>)Export("cuMemFree_v2");
        _allocatePinned = (delegate* unmanaged[Cdecl]<nint*, nuint, uint, int>)Export("cuMemHostAlloc");
        _freePinned = (delegate* unmanaged[Cdecl]<nint, int>)Export("cuMemFreeHost");
        _set = (delegate* unmanaged[Cdecl]<nint, byte, nuint, nint, int>)Export("cuMemsetD8Async");
        _toDevice = (delegate* unmanaged[Cdecl]<nint, void*, nuint, nint, int>)Export("cuMemcpyHtoDAsync_v2");
        _toHost = (delegate* unmanaged[Cdecl]<void*, nint, nuint, nint, int>)Export("cuMemcpyDtoHAsync_v2");
        _copy2D = (delegate* unmanaged[Cdecl]<CudaCopy2D*, nint, int>)Export("cuMemcpy2DAsync_v2");
        _createStream = (delegate* unmanaged[Cdecl]<nint*, uint, int>)Export("cuStreamCreate");
        _destroyStream = (delegate* unmanaged[Cdecl]<nint, int>)Export("cuStreamDestroy_v2");
        _synchronize = (delegate* unmanaged[Cdecl]<nint, int>)Export("cuStreamSynchronize");
        _createEvent = (delegate* unmanaged[Cdecl]<nint*, uint, int>)Export("cuEventCreate");
        _destroyEvent = (delegate* unmanaged[Cdecl]<nint, int>)Export("cuEventDestroy_v2");
        _record = (delegate* unmanaged[Cdecl]<nint, nint, int>)Export("cuEventRecord");
        _wait = (delegate* unmanaged[Cdecl]<nint, int>)Export("cuEventSynchronize");
    }

    /// <summary>The driver.</summary>
    /// <exception cref="NotSupportedException">There is none, it has no GPU, or it is too old; the message says what CUDA 13 needs.</exception>
    public static CudaDriver Instance => s_driver.Value;

    /// <summary>The newest CUDA that the driver runs: 13010 is 13.1.</summary>
    public int CudaVersion { get; }

    /// <summary>GPUs that this process sees.</summary>
    public int DeviceCount => _contexts.Length;

    /// <summary>A GPU's name, as "NVIDIA H200".</summary>
    public string DeviceName(int device)
    {
        Span<byte> name = stackalloc byte[256];
        fixed (byte* text = name)
        {
            Check(((delegate* unmanaged[Cdecl]<byte*, int, int, int>)Export("cuDeviceGetName"))(text, name.Length, Handle(device)), "cuDeviceGetName");
            return Marshal.PtrToStringUTF8((nint)text) ?? "";
        }
    }

    /// <summary>Memory of a GPU that is free, in bytes.</summary>
    public long FreeMemory(int device)
    {
        Enter(device);
        nuint free = 0;
        nuint all = 0;
        Check(((delegate* unmanaged[Cdecl]<nuint*, nuint*, int>)Export("cuMemGetInfo_v2"))(&free, &all), "cuMemGetInfo");
        return (long)free;
    }

    /// <summary>Makes a GPU's primary context the calling thread's.</summary>
    /// <exception cref="NotSupportedException">There is no such GPU.</exception>
    public void Enter(int device)
    {
        if ((uint)device >= (uint)DeviceCount)
        {
            throw new NotSupportedException($"There is no cuda:{device}: this process sees {DeviceCount} GPU{(DeviceCount == 1 ? "" : "s")}.");
        }

        if (_contexts[device] == 0)
        {
            lock (_lock)
            {
                if (_contexts[device] == 0)
                {
                    nint context = 0;
                    Check(((delegate* unmanaged[Cdecl]<nint*, int, int>)Export("cuDevicePrimaryCtxRetain"))(&context, Handle(device)), "cuDevicePrimaryCtxRetain");
                    _contexts[device] = context;
                }
            }
        }

        Check(_setCurrent(_contexts[device]), "cuCtxSetCurrent");
    }

    /// <summary>Memory of the current GPU.</summary>
    /// <exception cref="OutOfMemoryException">There is not enough.</exception>
    public nint Allocate(long bytes)
    {
        nint memory = 0;
        int status = _allocate(&memory, (nuint)Math.Max(bytes, 1));
        return status == 0 ? memory : throw new OutOfMemoryException($"The GPU has no {bytes} bytes of memory left ({NameOf(status)}).");
    }

    /// <returns>Whether it was freed.</returns>
    public bool Free(nint memory) => _free(memory) == 0;

    /// <summary>Memory of the process that GPUs read and write at full speed, at the same address.</summary>
    public nint AllocatePinned(long bytes)
    {
        const uint Portable = 1;
        const uint Mapped = 2;
        nint memory = 0;
        Check(_allocatePinned(&memory, (nuint)Math.Max(bytes, 1), Portable | Mapped), "cuMemHostAlloc");
        return memory;
    }

    /// <returns>Whether it was freed.</returns>
    public bool FreePinned(nint memory) => _freePinned(memory) == 0;

    public void Set(nint memory, byte value, long bytes, nint stream) => Check(_set(memory, value, (nuint)bytes, stream), "cuMemsetD8Async");

    /// <summary>Copies to the GPU in the stream's order. Pageable memory is read before this returns.</summary>
    public void ToDevice(nint to, void* from, long bytes, nint stream) => Check(_toDevice(to, from, (nuint)bytes, stream), "cuMemcpyHtoDAsync");

    /// <summary>Copies to the process in the stream's order; <see cref="Synchronize"/> before reading.</summary>
    public void ToHost(void* to, nint from, long bytes, nint stream) => Check(_toHost(to, from, (nuint)bytes, stream), "cuMemcpyDtoHAsync");

    /// <summary>Copies <paramref name="rows"/> pieces of <paramref name="width"/> bytes within the GPU in the stream's order.</summary>
    public void CopyRows(nint from, long fromPitch, nint to, long toPitch, long width, long rows, nint stream)
    {
        CudaCopy2D copy = CudaCopy2D.OnDevice(from, fromPitch, to, toPitch, width, rows);
        Check(_copy2D(&copy, stream), "cuMemcpy2DAsync");
    }

    /// <summary>A stream of the current GPU, independent of the default stream.</summary>
    public nint CreateStream()
    {
        const uint NonBlocking = 1;
        nint stream = 0;
        Check(_createStream(&stream, NonBlocking), "cuStreamCreate");
        return stream;
    }

    public void DestroyStream(nint stream) => Check(_destroyStream(stream), "cuStreamDestroy");

    /// <summary>Waits for all that the stream was given.</summary>
    public void Synchronize(nint stream) => Check(_synchronize(stream), "cuStreamSynchronize");

    /// <summary>An event of the current GPU that takes no times.</summary>
    public nint CreateEvent()
    {
        const uint NoTiming = 2;
        nint made = 0;
        Check(_createEvent(&made, NoTiming), "cuEventCreate");
        return made;
    }

    public void DestroyEvent(nint made) => Check(_destroyEvent(made), "cuEventDestroy");

    public void Record(nint made, nint stream) => Check(_record(made, stream), "cuEventRecord");

    /// <summary>Waits for what the stream held when the event was recorded.</summary>
    public void Wait(nint made) => Check(_wait(made), "cuEventSynchronize");

    private int Handle(int device)
    {
        int handle = 0;
        Check(((delegate* unmanaged[Cdecl]<int*, int, int>)Export("cuDeviceGet"))(&handle, device), "cuDeviceGet");
        return handle;
    }

    private nint Export(string name) => NativeLibrary.GetExport(_library, name);

    private void Check(int status, string function)
    {
        if (status != 0)
        {
            throw new InvalidOperationException($"{function} of NVIDIA's driver gave {NameOf(status)}.");
        }
    }

    private string NameOf(int status)
    {
        byte* name = null;
        return ((delegate* unmanaged[Cdecl]<int, byte**, int>)Export("cuGetErrorName"))(status, &name) == 0
            ? Marshal.PtrToStringUTF8((nint)name)!
            : $"error {status}";
    }
}
