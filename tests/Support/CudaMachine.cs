// SPDX-License-Identifier: MIT
// Whether tests that need a GPU can run here. Where CATS_REQUIRE_CUDA=1 they must.
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Tests.Support;

/// <summary>Finds out about the GPU.</summary>
public static class CudaMachine
{
    private static readonly Lazy<string?> s_missing = new(Missing);

    /// <summary>Why no test can use a GPU here, or null.</summary>
    public static string? Lacks => s_missing.Value;

    /// <summary>Whether a missing GPU is a failure.</summary>
    public static bool IsRequired => Environment.GetEnvironmentVariable("CATS_REQUIRE_CUDA") == "1";

    private static string? Missing()
    {
        if (!OrtEnv.Instance().GetAvailableProviders().Contains("CUDAExecutionProvider"))
        {
            return "this ONNX Runtime has no CUDAExecutionProvider";
        }

        try
        {
            if (MemoryBandwidth.MeasureRead(Device.Cuda(), 1 << 24) is null)
            {
                return "libcats_onnx was built without CUDA";
            }

            return null;
        }
        catch (Exception error) when (error is NotSupportedException or InvalidOperationException)
        {
            return error.Message;
        }
    }
}
