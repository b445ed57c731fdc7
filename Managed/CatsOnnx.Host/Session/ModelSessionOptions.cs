// SPDX-License-Identifier: MIT
// How a model is opened: device, threads, graph optimization, whether the ai.cats kernels are used.
using CatsOnnx.Memory;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Session;

/// <summary>Options of a <see cref="ModelSession"/>.</summary>
public sealed record ModelSessionOptions
{
    /// <summary>Where the model runs.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>Threads of one operator; 0 lets ONNX Runtime choose (one for each core).</summary>
    public int Threads { get; init; }

    /// <summary>How far ONNX Runtime may optimize the graph.</summary>
    public GraphOptimizationLevel OptimizationLevel { get; init; } = GraphOptimizationLevel.ORT_ENABLE_ALL;

    /// <summary>Whether the ai.cats kernels are registered. Null: where the model uses them. False runs a rewritten model on
    /// its own functions in standard operators.</summary>
    public bool? UseCatsKernels { get; init; }

    /// <summary>Whether every node must run on <see cref="Device"/>. Off by default: exports keep a few nodes on the CPU that
    /// compute shapes. On a GPU, with this on, opening a model fails where one would be placed on the CPU.</summary>
    public bool Strict { get; init; }

    /// <summary>Whether decoding on a GPU replays a CUDA graph. Null: where the model's cache is a shared buffer and ONNX
    /// Runtime can capture its graph. True: opening fails where that cannot be.</summary>
    public bool? CudaGraph { get; init; }

    /// <summary>Whether the residual addition and the norm before each sparse MLP join its kernel, in memory alone: the file keeps its
    /// nodes. Null: on a GPU, where the native library has a CUDA kernel for it. True: on the CPU too, where it is no faster; opening
    /// fails where the library does not know the operator. False: never. Without the ai.cats kernels
    /// (<see cref="UseCatsKernels"/> false) it is never done.</summary>
    public bool? FuseNorms { get; init; }

    /// <summary>Options of ONNX Runtime's CUDA provider by name, such as use_tf32 or gpu_mem_limit. They go before the ones that
    /// sessions have by default, among them sdpa_kernel, which is "19": attention by Flash (1), else memory-efficient (2), else unfused
    /// (16), so that a request repeated gives the same bits; "0" leaves the choice to ONNX Runtime.</summary>
    public IReadOnlyDictionary<string, string> CudaProviderOptions { get; init; } = new Dictionary<string, string>();

    /// <summary>Called with ONNX Runtime's options last, to set what is not here.</summary>
    public Action<SessionOptions>? Configure { get; init; }

    /// <summary>Called with each session that was opened with these options, to look at it.</summary>
    public Action<ModelSession>? Opened { get; init; }

    /// <param name="usesCats">Whether the model has nodes of ai.cats.</param>
    /// <param name="externalDataFolder">Where a model in memory has its weights, or null.</param>
    /// <param name="place">The device's memory.</param>
    /// <param name="graph">Whether runs on a GPU may be captured.</param>
    internal SessionOptions Make(bool usesCats, string? externalDataFolder, TensorPlace place, bool graph)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(Threads);
        // ONNX Runtime warns at every load that cats.threshold_scale is an input with a default; errors come as exceptions.
        // Whether it can capture a graph is found by trying, and is no error.
        SessionOptions options = new()
        {
            GraphOptimizationLevel = OptimizationLevel,
            LogSeverityLevel = graph && CudaGraph is null ? OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL : OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        try
        {
            if (Threads > 0)
            {
                options.IntraOpNumThreads = Threads;
            }

            if (externalDataFolder is not null)
            {
                options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", externalDataFolder);
            }

            if (place is CudaPlace cuda)
            {
                Device.AddCudaTo(options, cuda.Stream, graph, CudaProviderOptions);
                if (Strict)
                {
                    options.AddSessionConfigEntry("session.disable_cpu_ep_fallback", "1");
                }
            }

            if (UseCatsKernels ?? usesCats)
            {
                options.RegisterCats();
            }

            Configure?.Invoke(options);
            return options;
        }
        catch
        {
            options.Dispose();
            throw;
        }
    }
}
