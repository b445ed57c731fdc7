// SPDX-License-Identifier: MIT
// A folder for what a verb makes on its way and no one keeps. It goes with the verb, and also where a second Ctrl+C ends the
// process at once: models in it may be large.
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Jobs;

internal sealed class WorkFolder : IDisposable
{
    private const int ExitMilliseconds = 2000;

    private readonly Lock _making = new();
    private bool _exiting;

    /// <param name="prefix">What its name begins with.</param>
    /// <param name="parent">An existing folder; null: the system's temporary one.</param>
    /// <exception cref="UnsuitableInputException">There is no such parent.</exception>
    /// <exception cref="OperationCanceledException">The process ends.</exception>
    public WorkFolder(string prefix, string? parent = null)
    {
        parent ??= System.IO.Path.GetTempPath();
        if (!Directory.Exists(parent))
        {
            throw new UnsuitableInputException($"There is no folder '{parent}' to work in; make it, or give another one.");
        }

        Path = System.IO.Path.GetFullPath(System.IO.Path.Combine(parent, prefix + System.IO.Path.GetRandomFileName()));
        AppDomain.CurrentDomain.ProcessExit += OnExit; // not after: the process may end in between
        lock (_making)
        {
            if (_exiting)
            {
                throw new OperationCanceledException(); // the exit would not see what comes after it
            }

            Directory.CreateDirectory(Path);
        }
    }

    public string Path { get; }

    public void Dispose()
    {
        Delete();
        AppDomain.CurrentDomain.ProcessExit -= OnExit; // not before: the process may end while this deletes
    }

    // The thread that writes goes on while the process ends, and may put a file into a folder that is being emptied, or make the folder once
    // more, so that it has to stay away for a while.
    private void OnExit(object? sender, EventArgs e)
    {
        lock (_making)
        {
            _exiting = true;
        }

        long end = Environment.TickCount64 + ExitMilliseconds;
        string? failure = null;
        for (int absent = 0; absent < 3 && Environment.TickCount64 < end; Thread.Sleep(10))
        {
            absent = Directory.Exists(Path) ? 0 : absent + 1;
            try
            {
                Delete();
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                failure = error.Message;
            }
        }

        if (Directory.Exists(Path))
        {
            Console.Error.WriteLine($"warning: {Path} is left behind: {failure}");
        }
    }

    private void Delete()
    {
        if (Directory.Exists(Path))
        {
            Directory.Delete(Path, recursive: true);
        }
    }
}
