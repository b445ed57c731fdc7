// SPDX-License-Identifier: MIT
// Runs a session so that a cancellation ends it within one operator, and its errors say what they are.
using System.Globalization;
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
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public static void Run(ModelSession session, RunOptions options, OrtIoBinding binding, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(static state => ((RunOptions)state!).Terminate = true, options);
        try
        {
            if (session.Options.Device.IsCpu)
            {
                session.Inference.RunWithBinding(options, binding);
            }
            else
            {
                // Runs of a GPU share its stream, and a captured one must be alone in it.
                lock (session.RunLock)
                {
                    session.Inference.RunWithBinding(options, binding);
                }
            }
        }
        catch (OnnxRuntimeException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }
}
