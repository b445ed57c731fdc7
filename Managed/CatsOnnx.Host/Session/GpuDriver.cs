// SPDX-License-Identifier: MIT
// What NVIDIA's driver on this machine serves: the newest CUDA that it runs, and the GPUs that this process sees.
using CatsOnnx.Native;

namespace CatsOnnx.Session;

/// <summary>A GPU of this machine.</summary>
/// <param name="Device">What sessions call it.</param>
/// <param name="Name">As "NVIDIA H200".</param>
/// <param name="FreeMemory">Bytes of its memory that are free.</param>
public sealed record Gpu(Device Device, string Name, long FreeMemory);

/// <summary>NVIDIA's driver.</summary>
/// <param name="CudaVersion">The newest CUDA that it runs, as 13.1.</param>
/// <param name="Gpus">The GPUs that this process sees.</param>
public sealed record GpuDriver(Version CudaVersion, IReadOnlyList<Gpu> Gpus)
{
    /// <summary>Asks the driver.</summary>
    /// <exception cref="NotSupportedException">There is none, it has no GPU, or it is too old; the message says what is needed.</exception>
    /// <exception cref="InvalidOperationException">A GPU refuses.</exception>
    public static GpuDriver Read()
    {
        CudaDriver driver = CudaDriver.Instance;
        using CudaGate.Pass pass = CudaGate.Share();
        return new GpuDriver(
            new Version(driver.CudaVersion / 1000, driver.CudaVersion % 1000 / 10),
            [.. Enumerable.Range(0, driver.DeviceCount).Select(index => new Gpu(Device.Cuda(index), driver.DeviceName(index), driver.FreeMemory(index)))]);
    }
}
