// SPDX-License-Identifier: MIT
// How a model is opened: device, threads, graph optimization, whether the ai.cats kernels are used.
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

    /// <summary>Called with ONNX Runtime's options last, to set what is not here.</summary>
    public Action<SessionOptions>? Configure { get; init; }

    internal SessionOptions Make(bool usesCats, string? externalDataFolder)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(Threads);
        // ONNX Runtime warns at every load that cats.threshold_scale is an input with a default; errors come as exceptions.
        SessionOptions options = new() { GraphOptimizationLevel = OptimizationLevel, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
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

            Device.AddTo(options);
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
