// SPDX-License-Identifier: MIT
// Runs a session so that a cancellation ends it within one operator, and its errors say what they are.
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Session;

internal static class Runs
{
    /// <summary>Runs the binding; cancelling sets <see cref="RunOptions.Terminate"/>.</summary>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public static void Run(InferenceSession session, RunOptions options, OrtIoBinding binding, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(static state => ((RunOptions)state!).Terminate = true, options);
        try
        {
            session.RunWithBinding(options, binding);
        }
        catch (OnnxRuntimeException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }
}
