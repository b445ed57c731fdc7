// SPDX-License-Identifier: MIT
// Whether a model opens on a device, and where its ai.cats nodes run there.
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Cli.Jobs.Doctor;

internal static class SessionCheck
{
    /// <param name="input">The model.</param>
    /// <param name="sparse">Whether it has nodes of ai.cats.</param>
    /// <param name="placement">Where it is to run.</param>
    public static void Run(ModelInput input, bool sparse, Placement placement, Findings findings, JsonObject document)
    {
        document["opens"] = false;
        try
        {
            // What other verbs warn of (Opened) is a finding here.
            using ModelSession session = ProgressBar.Wait("opening the model", () => ModelSession.Open(input.Folder, Sessions.Options(placement) with { Opened = null }));
            document["opens"] = true;
            Report(session, sparse, findings, document);
        }
        catch (Exception error) when (error is InvalidDataException or NotSupportedException or DllNotFoundException or InvalidOperationException
            or OnnxRuntimeException or OutOfMemoryException or IOException or GraphRewriter.InvalidModelException)
        {
            string todo = error is NotSupportedException ? "run on the CPU (--device cpu), or see the findings on ONNX Runtime and the GPU above"
                : error is DllNotFoundException ? "see the finding on the library above"
                : error is OutOfMemoryException ? "close other programs, or take a device with more memory"
                : placement.Strict ? "without --strict nodes may run on the CPU"
                : "see the findings above; CATS_DEBUG=1 with another verb shows ONNX Runtime's own log";
            findings.Problem("session", $"it does not open on {placement.Device}: {error.Message}", todo);
        }
    }

    private static void Report(ModelSession session, bool sparse, Findings findings, JsonObject document)
    {
        Device device = session.Options.Device;
        CatsPlacement kernels = session.CatsKernels;
        document["cats_nodes"] = new JsonObject { ["cpu"] = kernels.Cpu, ["cuda"] = kernels.Cuda };
        findings.Ok("session", $"opens on {device}");
        if (!device.IsCpu && kernels.Cpu > 0)
        {
            findings.Problem(
                "ai.cats", $"{kernels.Cpu} of {kernels.Cpu + kernels.Cuda} nodes run on the CPU, not on {device}",
                "use a libcats_onnx with CUDA kernels: build it with CATS_CUDA=ON (eng/gpu.sh build), or name one in CATS_ONNX_LIBRARY");
        }
        else if (kernels.Cpu + kernels.Cuda > 0)
        {
            findings.Ok("ai.cats", $"{kernels.Cpu + kernels.Cuda} nodes run on {device}");
        }
        else if (sparse)
        {
            findings.Problem("ai.cats", $"the model is sparse, and none of its nodes runs on the library's kernels", "see the findings on the library above");
        }

        document["fused_norms"] = device.IsCpu ? null : session.FusedNorms;
        if (!device.IsCpu && session.FusedNorms > 0)
        {
            findings.Ok("norms", $"{session.FusedNorms} run inside the kernels of the sparse MLPs after them");
        }
        else if (!device.IsCpu && sparse)
        {
            findings.Note(
                "norms",
                $"none runs inside a sparse MLP's kernel: no CUDA kernel for that, or no norm with residual addition that feeds an MLP alone");
        }

        document["cuda_graph"] = device.IsCpu ? null : session.UsesCudaGraph;
        document["cuda_graph_refusal"] = session.CudaGraphRefusal;
        if (session.CudaGraphRefusal is { } refusal)
        {
            findings.Note("cuda graph", $"decoding runs without one: {refusal}");
        }
        else if (session.UsesCudaGraph)
        {
            findings.Ok("cuda graph", $"decoding replays one");
        }
    }
}
