// SPDX-License-Identifier: MIT
// Signals: the first Ctrl+C (or SIGTERM, or SIGHUP of a terminal that was closed) cancels, so that half-written output is
// removed; the second ends the process, whose exit removes it (FolderTransaction, WorkFolder).
// A file-size limit (SIGXFSZ) must come back as a failed write, not as sudden death.
using System.Runtime.InteropServices;

namespace CatsOnnx.Cli.Terminal;

internal sealed partial class Interruption : IDisposable
{
    private const PosixSignal FileSizeLimit = (PosixSignal)25; // SIGXFSZ on Linux and macOS

    // What is cancelled mostly ends by itself in less, and without other threads that are stopped in the middle of something.
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(300);

    private static Func<bool>? s_first;

    private readonly CancellationTokenSource _source = new();
    private readonly ManualResetEventSlim _ended = new();
    private readonly List<PosixSignalRegistration> _registrations = []; // for the life of the process
    private bool _late;

    public Interruption()
    {
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, Cancel));
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

    /// <summary>The verb has ended. A signal while the process ends does not make a failure of it any more; another one does.</summary>
    public void Dispose() => _ended.Set();

    private void Cancel(PosixSignalContext context)
    {
        if (_ended.IsSet)
        {
            context.Cancel = !Interlocked.Exchange(ref _late, true);
            return;
        }

        context.Cancel = true;
        if (context.Signal == PosixSignal.SIGINT && s_first is { } first && first())
        {
            return;
        }

        if (_source.IsCancellationRequested)
        {
            if (!_ended.Wait(s_patience))
            {
                End();
            }

            return;
        }

        Console.Error.WriteLine("interrupted: undoing what is half done (once more ends at once)");
        _source.Cancel();
    }

    // What is registered last runs last: after the removals, and in place of the destructors of native libraries, which ONNX Runtime's
    // threads may still be using (SIGSEGV).
    private static void End()
    {
        if (!OperatingSystem.IsWindows())
        {
            AppDomain.CurrentDomain.ProcessExit += (_, _) => ExitWithoutDestructors(ExitCode.Interrupted);
        }

        Environment.Exit(ExitCode.Interrupted);
    }

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void ExitWithoutDestructors(int exitCode);

    private sealed class Offered : IDisposable
    {
        public void Dispose() => s_first = null;
    }
}
