// SPDX-License-Identifier: MIT
// A folder for what a verb makes on its way and no one keeps. It goes with the verb, and also where a second Ctrl+C ends the
// process at once: models in it may be large.
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Jobs;

internal sealed class WorkFolder : IDisposable
{
    private const int Attempts = 20;

    /// <param name="prefix">What its name begins with.</param>
    /// <param name="parent">An existing folder; null: the system's temporary one.</param>
    /// <exception cref="UnsuitableInputException">There is no such parent.</exception>
    public WorkFolder(string prefix, string? parent = null)
    {
        parent ??= System.IO.Path.GetTempPath();
        if (!Directory.Exists(parent))
        {
            throw new UnsuitableInputException($"There is no folder '{parent}' to work in; make it, or give another one.");
        }

        Path = Directory.CreateDirectory(System.IO.Path.Combine(parent, prefix + System.IO.Path.GetRandomFileName())).FullName;
        AppDomain.CurrentDomain.ProcessExit += OnExit;
    }

    public string Path { get; }

    public void Dispose()
    {
        Delete();
        AppDomain.CurrentDomain.ProcessExit -= OnExit; // not before: the process may end while this deletes
    }

    // The thread that writes goes on while the process ends, and may put a file into a folder that is being emptied.
    private void OnExit(object? sender, EventArgs e)
    {
        for (int attempt = 1; attempt <= Attempts; attempt++)
        {
            try
            {
                Delete();
                return;
            }
            catch (IOException) when (attempt < Attempts)
            {
                Thread.Sleep(10);
            }
            catch (IOException error)
            {
                Console.Error.WriteLine($"warning: {Path} is left behind: {error.Message}");
            }
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
