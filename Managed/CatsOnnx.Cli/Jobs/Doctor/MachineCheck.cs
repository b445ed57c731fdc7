// SPDX-License-Identifier: MIT
// The machine: NVIDIA's driver and GPUs, and how fast the device reads its memory, which bounds decoding.
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Session;

namespace CatsOnnx.Cli.Jobs.Doctor;

internal static class MachineCheck
{
    private const long MostToRead = 1L << 30;
    private const long LeastToRead = 64L << 20;

    /// <summary>The GPUs that this process sees.</summary>
    /// <returns>[{"device", "name", "free_bytes"}]</returns>
    public static JsonArray Gpus(Device device, Findings findings)
    {
        GpuDriver driver;
        try
        {
            driver = GpuDriver.Read();
        }
        catch (Exception error) when (error is NotSupportedException or InvalidOperationException)
        {
            findings.NoteOrProblem(
                !device.IsCpu, "gpu", $"{error.Message}", "run on the CPU (--device cpu), or install NVIDIA's driver 580 or newer and start containers with their GPUs (docker run --gpus all)");
            return [];
        }

        findings.Ok("driver", $"runs CUDA {driver.CudaVersion}");
        foreach (Gpu gpu in driver.Gpus)
        {
            findings.Ok("gpu", $"{gpu.Device}: {gpu.Name}, {Quantity.Bytes(gpu.FreeMemory)} free");
        }

        if (!device.IsCpu && driver.Gpus.All(gpu => gpu.Device != device))
        {
            findings.Problem("gpu", $"there is no {device}: this process sees {driver.Gpus.Count} GPU(s)", "give another --device, or look at CUDA_VISIBLE_DEVICES");
        }

        return [.. driver.Gpus.Select(gpu => (JsonNode)new JsonObject { ["device"] = gpu.Device.ToString(), ["name"] = gpu.Name, ["free_bytes"] = gpu.FreeMemory })];
    }

    /// <summary>Bytes a second that the device reads, or null where it was not measured.</summary>
    public static double? Memory(Device device, bool measure, Findings findings)
    {
        if (!measure)
        {
            findings.Note("memory", $"not measured, as asked");
            return null;
        }

        long bytes = device.IsCpu ? Math.Min(MostToRead, FreeMemory.Bytes() / 4) : MostToRead;
        if (bytes < LeastToRead)
        {
            findings.Note("memory", $"not measured: only {Quantity.Bytes(FreeMemory.Bytes())} are free");
            return null;
        }

        try
        {
            double? rate = MemoryBandwidth.MeasureRead(device, bytes);
            if (rate is { } found)
            {
                findings.Ok("memory", $"{device} reads {found / 1e9:0.0} GB/s: a model that reads 1 GB a token gives at most {found / 1e9:0.0} tokens/s");
            }
            else
            {
                findings.Note("memory", $"{device} was not measured: the library has no CUDA to do it with");
            }

            return rate;
        }
        catch (Exception error) when (error is InvalidOperationException or NotSupportedException or OutOfMemoryException)
        {
            findings.Problem("memory", $"{device} could not be measured: {error.Message}", "see the findings on the GPU above; --no-measure leaves this out");
            return null;
        }
    }
}
