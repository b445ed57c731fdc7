// SPDX-License-Identifier: MIT
// ONNX Runtime's session of a graph, the memory of its device, and what became of its nodes and its CUDA graph.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.Memory;
using CatsOnnx.Native;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Session;

/// <param name="Inference">The session.</param>
/// <param name="Place">The memory of its device.</param>
/// <param name="Graph">Whether it may replay a CUDA graph.</param>
/// <param name="GraphRefusal">Why ONNX Runtime refused to capture one, or null.</param>
/// <param name="Kernels">Where the nodes of ai.cats were placed; none where the library is not used.</param>
internal sealed record OpenedSession(InferenceSession Inference, TensorPlace Place, bool Graph, string? GraphRefusal, CatsPlacement Kernels)
    : IDisposable
{
    // ONNX Runtime's registries are shared by all sessions of a process; making two at once has raced there.
    private static readonly Lock s_creation = new();

    /// <param name="folder">The model.</param>
    /// <param name="options">The caller's.</param>
    /// <param name="usesCats">Whether its graph has nodes of ai.cats.</param>
    /// <param name="externalDataFolder">What external data is relative to, for a graph in memory.</param>
    /// <param name="open">Makes the session.</param>
    /// <exception cref="InvalidDataException">ONNX Runtime cannot load the graph.</exception>
    /// <exception cref="DllNotFoundException">The model uses ai.cats and the native library is nowhere.</exception>
    public static OpenedSession Open(
        ModelFolder folder, ModelSessionOptions options, bool usesCats, string? externalDataFolder, Func<SessionOptions, InferenceSession> open)
    {
        options.Device.RequireProvider();
        TensorPlace place = TensorPlace.Of(options.Device);
        try
        {
            bool graph = place is CudaPlace && (options.CudaGraph ?? folder.Config.PastPresentShareBuffer);
            try
            {
                return Create(graph, refusal: null);
            }
            catch (OnnxRuntimeException error) when (graph && options.CudaGraph is null && error.Message.Contains("graph capture", StringComparison.Ordinal))
            {
                return Create(graph: false, error.Message);
            }
        }
        catch (OnnxRuntimeException error)
        {
            place.Dispose();
            throw new InvalidDataException($"ONNX Runtime {OrtEnv.Instance().GetVersionString()} cannot load '{folder.ModelPath}': {error.Message}", error);
        }
        catch
        {
            place.Dispose();
            throw;
        }

        OpenedSession Create(bool graph, string? refusal)
        {
            using SessionOptions made = options.Make(usesCats, externalDataFolder, place, graph);
            lock (s_creation)
            {
                using CudaGate.Pass pass = CudaGate.Share();
                // A model without our nodes does not load the native library only to be counted.
                bool counts = options.UseCatsKernels ?? usesCats;
                CatsPlacement before = counts ? CatsPlacement.Now() : default;
                InferenceSession session = open(made);
                return new OpenedSession(session, place, graph, refusal, counts ? CatsPlacement.Now() - before : default);
            }
        }
    }

    public void Dispose()
    {
        using (CudaGate.Share())
        {
            Inference.Dispose();
        }

        Place.Dispose();
    }
}
