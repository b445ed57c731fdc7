// SPDX-License-Identifier: MIT
// ONNX Runtime and the native library: their versions against each other, and what they can run.
using System.Text.Json.Nodes;
using CatsOnnx.GraphRewriter.Output;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Cli.Jobs.Doctor;

internal static class RuntimeCheck
{
    private const string CudaProvider = "CUDAExecutionProvider";
    private const string BuildCuda = "build it with CATS_CUDA=ON (eng/gpu.sh build) or reference CatsOnnx.Native.Cuda, or name one in CATS_ONNX_LIBRARY";

    /// <summary>ONNX Runtime's version and providers.</summary>
    /// <returns>{"version", "providers"}; null where it cannot be loaded.</returns>
    public static JsonObject? OnnxRuntime(Device device, Findings findings)
    {
        string version;
        string[] providers;
        try
        {
            version = OrtEnv.Instance().GetVersionString();
            providers = OrtEnv.Instance().GetAvailableProviders();
        }
        catch (Exception error) when (error is TypeInitializationException or DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            findings.Problem("onnxruntime", $"it cannot be loaded: {(error.InnerException ?? error).Message}", "reference Microsoft.ML.OnnxRuntime (or .Gpu), which brings its native library");
            return null;
        }

        findings.Ok("onnxruntime", $"{version}, with {string.Join(", ", providers)}");
        if (!providers.Contains(CudaProvider))
        {
            findings.NoteOrProblem(
                !device.IsCpu, "onnxruntime", $"it has no {CudaProvider}: nothing runs on a GPU",
                "reference Microsoft.ML.OnnxRuntime.Gpu (in this repository: CatsOrt=Gpu ./cats ...)");
        }

        return new JsonObject { ["version"] = version, ["providers"] = new JsonArray([.. providers.Select(provider => (JsonNode)provider)]) };
    }

    /// <summary>The native library; null where it cannot be used.</summary>
    /// <param name="device">The device that is to serve.</param>
    /// <param name="runtime">ONNX Runtime's version, or null.</param>
    public static LibraryDescription? Library(Device device, string? runtime, Findings findings)
    {
        LibraryDescription library;
        try
        {
            library = LibraryDescription.Read();
        }
        catch (Exception error) when (error is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException or InvalidDataException)
        {
            findings.Problem("library", $"{error.Message}", "reference CatsOnnx.Native (or build CustomOp), or name a libcats_onnx in CATS_ONNX_LIBRARY");
            return null;
        }

        findings.Ok("library", $"{library.Path}, version {library.Version}, ai.cats {library.Opset}");
        CheckVersions(library, runtime, findings);
        if (library.IsaError is { } isaError)
        {
            findings.Problem("cpu kernels", $"{isaError}", $"set CATS_FORCE_ISA to one of {string.Join(", ", library.Isas)}, or unset it");
        }
        else
        {
            findings.Ok("cpu kernels", $"{library.Isa}; this processor runs {string.Join(", ", library.Isas)}");
        }

        if (library.CudaArchitectures is { } architectures)
        {
            findings.Ok("cuda kernels", $"built for {architectures}");
        }
        else
        {
            findings.NoteOrProblem(!device.IsCpu, "cuda kernels", $"none in this library: on a GPU the ai.cats nodes would run on the CPU", BuildCuda);
        }

        return library;
    }

    private static void CheckVersions(LibraryDescription library, string? runtime, Findings findings)
    {
        string own = FolderManifest.CurrentVersion;
        if (library.Version != own)
        {
            findings.Problem("library", $"it has version {library.Version}, CatsOnnx here has {own}", "use the library of the same version: packages CatsOnnx and CatsOnnx.Native go together");
        }

        if (!Version.TryParse(runtime?.Split('-', '+')[0], out Version? version))
        {
            findings.Note("library", $"whether it suits ONNX Runtime '{runtime}' is not known: that version is not understood");
        }
        else if (version.Major == 1 && version.Minor < library.FloorApi)
        {
            findings.Problem("library", $"it needs ONNX Runtime 1.{library.FloorApi} or later; this is {runtime}", $"use Microsoft.ML.OnnxRuntime 1.{library.FloorApi} or later");
        }
        else
        {
            findings.Ok("library", $"built for ONNX Runtime 1.{library.BuiltApi}, runs with 1.{library.FloorApi} and later");
        }
    }
}
