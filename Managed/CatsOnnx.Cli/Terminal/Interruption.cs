// SPDX-License-Identifier: MIT
// Signals: the first Ctrl+C (or SIGTERM) cancels, so that half-written output is removed; the second ends the process.
// A file-size limit (SIGXFSZ) must come back as a failed write, not as sudden death.
using System.Runtime.InteropServices;

namespace CatsOnnx.Cli.Terminal;

internal sealed class Interruption : IDisposable
{
    private const PosixSignal FileSizeLimit = (PosixSignal)25; // SIGXFSZ on Linux and macOS

    private static Func<bool>? s_first;

    private readonly CancellationTokenSource _source = new();
    private readonly List<PosixSignalRegistration> _registrations = [];

    public Interruption()
    {
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel));
        if (!OperatingSystem.IsWindows())
        {
            _registrations.Add(PosixSignalRegistration.Create(FileSizeLimit, context => context.Cancel = true));
        }
    }

    public CancellationToken Token => _source.Token;

    /// <summary>Offers each Ctrl+C to a verb that goes on after it, until the returned object is disposed.</summary>
    /// <param name="first">Called on another thread. True: it was dealt with; false: it ends the run, as without an offer.</param>
    public static IDisposable Offer(Func<bool> first)
    {
        s_first = first;
        return new Offered();
    }

    public void Dispose()
    {
        _registrations.ForEach(registration => registration.Dispose());
        _source.Dispose();
    }

    private void Cancel(PosixSignalContext context)
    {
        if (context.Signal == PosixSignal.SIGINT && s_first is { } first && first())
        {
            context.Cancel = true;
            return;
        }

        if (_source.IsCancellationRequested)
        {
            Environment.Exit(ExitCode.Interrupted);
        }

        context.Cancel = true;
        Console.Error.WriteLine("interrupted: undoing what is half done (once more ends at once)");
        _source.Cancel();
    }

    private sealed class Offered : IDisposable
    {
        public void Dispose() => s_first = null;
    }
}
