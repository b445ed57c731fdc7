// SPDX-License-Identifier: MIT
// A folder that is absent or whole: everything is written into a staging folder beside it, made durable, and renamed into
// place. A staging folder is removed where the process exits before; one of a run that died is recognised by its lock and
// removed by the next run.
using System.Runtime.InteropServices;
using CatsOnnx.GraphRewriter.Storage;

namespace CatsOnnx.GraphRewriter.Output;

/// <summary>Writes a folder as a whole or not at all. Dispose without <see cref="Commit"/> removes what was written; so does the
/// process's exit, which takes 2 seconds for it at most.</summary>
public sealed class FolderTransaction : IDisposable
{
    private const int ExitMilliseconds = 2000;

    /// <summary>SIGXFSZ: a write past the shell's file size limit becomes an error of that write instead of the end of the process.</summary>
    private static readonly PosixSignalRegistration? s_fileSizeLimit = OperatingSystem.IsWindows()
        ? null
        : PosixSignalRegistration.Create((PosixSignal)25, context => context.Cancel = true);

    private readonly string _target;
    private readonly bool _overwrite;
    private readonly Lock _ending = new(); // held by whoever makes the staging folder, gives it its name or removes it
    private FileStream? _lock;
    private bool _done;

    private FolderTransaction(string target, string staging, bool overwrite)
    {
        _target = target;
        StagingFolder = staging;
        _overwrite = overwrite;
        AppDomain.CurrentDomain.ProcessExit += OnExit;
    }

    /// <summary>Where to write; has the place of the target until <see cref="Commit"/>.</summary>
    public string StagingFolder { get; }

    /// <summary>Begins to write a folder.</summary>
    /// <param name="target">The folder to be; absent, empty, or replaced whole where <paramref name="overwrite"/> says so.</param>
    /// <param name="overwrite">Whether an existing folder is replaced; it stays as it is until the new one is whole.</param>
    /// <param name="inputs">Files and folders that are read from: the target may neither be, hold nor lie inside one of them.</param>
    /// <exception cref="IOException">The target exists, is a file, a link or an input, or cannot be written to.</exception>
    public static FolderTransaction Begin(string target, bool overwrite, params IEnumerable<string> inputs)
    {
        ArgumentException.ThrowIfNullOrEmpty(target);
        ArgumentNullException.ThrowIfNull(inputs);
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        string parent = Path.GetDirectoryName(full) ?? throw new IOException($"{target} is the root of a file system.");
        RequireApart(full, inputs);
        RequireFree(full, overwrite);
        Directory.CreateDirectory(parent);
        AsideFolders.Recover(full);
        string staging = AsideFolders.NewStaging(full);
        GC.KeepAlive(s_fileSizeLimit);
        FolderTransaction transaction = new(full, staging, overwrite);
        try
        {
            transaction.Make();
            CrashPoint.Reach("staged");
            return transaction;
        }
        catch
        {
            transaction.Dispose();
            throw;
        }
    }

    private void Make()
    {
        lock (_ending)
        {
            ObjectDisposedException.ThrowIf(_done, this); // by the process's exit, which would not see what comes after it
            Directory.CreateDirectory(StagingFolder);
            _lock = new FileStream(Path.Combine(StagingFolder, AsideFolders.LockName), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        }
    }

    /// <summary>Makes everything durable and gives the folder its name.</summary>
    /// <exception cref="IOException">The target has come into being meanwhile, or the disk refused.</exception>
    public void Commit()
    {
        ObjectDisposedException.ThrowIf(_done, this);
        RequireFree(_target, _overwrite);
        Sync(StagingFolder);
        CrashPoint.Reach("synced");
        string parent = Path.GetDirectoryName(_target)!;
        string? old;
        lock (_ending)
        {
            ObjectDisposedException.ThrowIf(_done, this); // by the process's exit
            // the lock file goes first: from here on the folder is whole, whatever its name
            File.Delete(Path.Combine(StagingFolder, AsideFolders.LockName));
            PosixFile.SyncFolder(StagingFolder);
            CrashPoint.Reach("unlocked");
            old = Place();
            _done = true;
        }

        AppDomain.CurrentDomain.ProcessExit -= OnExit;
        CrashPoint.Reach("renamed");
        PosixFile.SyncFolder(parent);
        _lock?.Dispose();
        if (old is not null)
        {
            Directory.Delete(old, recursive: true);
            PosixFile.SyncFolder(parent);
        }
    }

    /// <summary>Renames the staging folder to the target.</summary>
    /// <returns>Where the folder is now that the target was before, if there was one.</returns>
    private string? Place()
    {
        if (!Directory.Exists(_target))
        {
            Directory.Move(StagingFolder, _target);
            return null;
        }

        if (PosixFile.Exchange(StagingFolder, _target))
        {
            return StagingFolder;
        }

        string old = AsideFolders.NewOld(_target);
        Directory.Move(_target, old);
        CrashPoint.Reach("old aside");
        try
        {
            Directory.Move(StagingFolder, _target);
            return old;
        }
        catch when (!Directory.Exists(_target))
        {
            Directory.Move(old, _target);
            throw;
        }
    }

    /// <summary>Removes what was written, unless it was committed.</summary>
    public void Dispose()
    {
        lock (_ending)
        {
            _lock?.Dispose();
            if (!_done)
            {
                _done = true;
                if (Directory.Exists(StagingFolder))
                {
                    Directory.Delete(StagingFolder, recursive: true);
                }
            }
        }

        AppDomain.CurrentDomain.ProcessExit -= OnExit; // not before: the process may exit while this deletes
    }

    // A second Ctrl+C, for one. Other threads go on meanwhile: one that commits is let to its end; one that writes may put a file into the
    // folder that is being emptied, or make it once more, so that it has to stay away for a while.
    private void OnExit(object? sender, EventArgs e)
    {
        long end = Environment.TickCount64 + ExitMilliseconds;
        if (!_ending.TryEnter(ExitMilliseconds))
        {
            return;
        }

        try
        {
            if (_done)
            {
                return;
            }

            _done = true;
            _lock?.Dispose();
            for (int absent = 0; absent < 3 && Environment.TickCount64 < end; Thread.Sleep(10))
            {
                absent = TryRemove(StagingFolder) ? absent + 1 : 0;
            }
        }
        finally
        {
            _ending.Exit();
        }
    }

    private static bool TryRemove(string folder)
    {
        try
        {
            if (!Directory.Exists(folder))
            {
                return true;
            }

            Directory.Delete(folder, recursive: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // tried again
        }

        return false;
    }

    private static void RequireFree(string target, bool overwrite)
    {
        if (new FileInfo(target).LinkTarget is not null)
        {
            throw new IOException($"{target} is a link; the output must be a folder of its own.");
        }

        if (File.Exists(target))
        {
            throw new IOException($"{target} is a file; the output must be a folder.");
        }

        if (!overwrite && Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
        {
            throw new IOException($"{target} exists and is not empty; overwriting it must be asked for.");
        }
    }

    private static void RequireApart(string target, IEnumerable<string> inputs)
    {
        string real = ModelFiles.RealPath(target);
        foreach (string input in inputs)
        {
            string source = ModelFiles.RealPath(Path.TrimEndingDirectorySeparator(input));
            if (real == source)
            {
                throw new IOException($"{target} is both input and output.");
            }

            if (IsInside(real, source))
            {
                throw new IOException($"{target} lies inside the input {input}.");
            }

            if (IsInside(source, real))
            {
                throw new IOException($"The input {input} lies inside {target}, which would be replaced.");
            }
        }
    }

    private static bool IsInside(string path, string folder) =>
        path.StartsWith(folder.EndsWith(Path.DirectorySeparatorChar) ? folder : folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static void Sync(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder))
        {
            if (Path.GetFileName(file) != AsideFolders.LockName)
            {
                using Microsoft.Win32.SafeHandles.SafeFileHandle handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite);
                RandomAccess.FlushToDisk(handle);
            }
        }

        foreach (string inner in Directory.EnumerateDirectories(folder))
        {
            Sync(inner);
        }

        PosixFile.SyncFolder(folder);
    }
}
