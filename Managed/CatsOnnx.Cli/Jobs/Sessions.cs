// SPDX-License-Identifier: MIT
// How the tool opens sessions: ONNX Runtime is silent, because its errors come back as exceptions and are said once; what
// does not run on the GPU that was asked for is said too.
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Cli.Jobs;

internal static class Sessions
{
    public static ModelSessionOptions Options(Placement placement) => new()
    {
        Device = placement.Device,
        Strict = placement.Strict,
        Opened = session => WarnOfPlacement(session, ToolOutput.Current),
        Configure = options => options.LogSeverityLevel =
            ErrorFunnel.IsDebugging ? OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING : OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
    };

    /// <summary>Opens a model so that active neurons are counted, with a bar where that takes its time.</summary>
    /// <param name="input">The model.</param>
    /// <param name="placement">Where it runs.</param>
    /// <param name="counts">The outputs with counts; none for a dense model.</param>
    public static ModelSession OpenCounting(ModelInput input, Placement placement, out IReadOnlyList<ActiveCount> counts)
    {
        IReadOnlyList<ActiveCount> found = [];
        ModelSession session = ProgressBar.Wait("opening the model", () => ModelSession.OpenCounting(input.Folder, out found, Options(placement)));
        counts = found;
        return session;
    }

    private static void WarnOfPlacement(ModelSession session, ToolOutput output)
    {
        if (!session.Options.Device.IsCpu && session.CatsKernels.Cpu > 0)
        {
            long all = session.CatsKernels.Cpu + session.CatsKernels.Cuda;
            output.Warn($"{session.CatsKernels.Cpu} of {all} ai.cats nodes run on the CPU, not on {session.Options.Device}: {CatsOps.GetLibraryPath()} has no CUDA kernel for them. Build it with CATS_CUDA=ON (eng/gpu.sh build), or name one in CATS_ONNX_LIBRARY.");
        }

        if (session.CudaGraphRefusal is { } refusal)
        {
            output.Warn($"decoding runs without a CUDA graph: {refusal}");
        }
    }
}
