// SPDX-License-Identifier: MIT
// Runs a session so that a cancellation ends it within one operator, and its errors say what they are.
using System.Diagnostics;
using System.Globalization;
using CatsOnnx.Native;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Session;

internal static class Runs
{
    private const string GraphId = "gpu_graph_id";

    /// <summary>Options for runs that are not captured.</summary>
    public static RunOptions Plain(ModelSession session)
    {
        RunOptions options = new();
        if (session.UsesCudaGraph)
        {
            options.AddRunConfigEntry(GraphId, "-1");
        }

        return options;
    }

    /// <summary>Options for decoding on a GPU: what a run computes is waited for by its reader.</summary>
    /// <param name="graph">The number of the CUDA graph that is captured by the first such run and replayed by the next ones,
    /// which must have the same tensors bound; null for none.</param>
    public static RunOptions Decoding(int? graph)
    {
        RunOptions options = new();
        options.AddRunConfigEntry("disable_synchronize_execution_providers", "1");
        options.AddRunConfigEntry(GraphId, graph is int id ? id.ToString(CultureInfo.InvariantCulture) : "-1");
        return options;
    }

    /// <summary>Runs the binding; cancelling sets <see cref="RunOptions.Terminate"/>.</summary>
    /// <param name="session">The session.</param>
    /// <param name="options">From here, of this request.</param>
    /// <param name="binding">Inputs and outputs.</param>
    /// <param name="cancellationToken">Ends the run within one operator.</param>
    /// <param name="captures">Whether this run captures a CUDA graph.</param>
    /// <returns>How long ONNX Runtime took, in ticks of <see cref="Stopwatch"/>; on a GPU, until the work was given to it.</returns>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public static long Run(ModelSession session, RunOptions options, OrtIoBinding binding, CancellationToken cancellationToken, bool captures = false)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(static state => ((RunOptions)state!).Terminate = true, options);
        try
        {
            if (session.Options.Device.IsCpu)
            {
                return Timed();
            }
            else
            {
                // Runs of a GPU share its stream.
                lock (session.RunLock)
                {
                    using CudaGate.Pass pass = captures ? CudaGate.Alone() : CudaGate.Share();
                    return Timed();
                }
            }
        }
        catch (OnnxRuntimeException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }

        long Timed()
        {
            long start = Stopwatch.GetTimestamp();
            session.Inference.RunWithBinding(options, binding);
            return Stopwatch.GetTimestamp() - start;
        }
    }
}
