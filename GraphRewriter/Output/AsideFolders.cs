// SPDX-License-Identifier: MIT
// The folders beside a target while it is written: the new one, and the one that was there before. Their names tell which
// process made them, so that the next run knows those of a run that died.
namespace CatsOnnx.GraphRewriter.Output;

internal static class AsideFolders
{
    /// <summary>A file in a new folder that the run that writes it holds open.</summary>
    public const string LockName = ".cats-lock";

    private const string StagingMark = ".cats-new-";
    private const string OldMark = ".cats-old-";

    /// <summary>A name for the new folder.</summary>
    public static string NewStaging(string target) => New(target, StagingMark);

    /// <summary>A name for the folder that was there before.</summary>
    public static string NewOld(string target) => New(target, OldMark);

    /// <summary>
    /// Cleans up after runs that died: an old folder that was set aside goes back where there is no new one, staging
    /// folders whose lock nobody holds are removed. Those of runs that live are left alone.
    /// </summary>
    public static void Recover(string target)
    {
        string parent = Path.GetDirectoryName(target)!;
        string name = Path.GetFileName(target);
        foreach (string aside in Directory.GetDirectories(parent, name + OldMark + "*"))
        {
            if (IsAlive(aside, OldMark))
            {
                continue;
            }

            if (Directory.Exists(target))
            {
                Directory.Delete(aside, recursive: true);
            }
            else
            {
                Directory.Move(aside, target);
            }
        }

        foreach (string staging in Directory.GetDirectories(parent, name + StagingMark + "*"))
        {
            if (!IsLocked(staging) && !IsAlive(staging, StagingMark))
            {
                Directory.Delete(staging, recursive: true);
            }
        }
    }

    private static bool IsLocked(string staging)
    {
        try
        {
            using FileStream probe = new(Path.Combine(staging, LockName), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    /// <summary>Whether the process that made a folder still runs and is no other one of the same number.</summary>
    private static bool IsAlive(string folder, string mark)
    {
        string tail = folder[(folder.LastIndexOf(mark, StringComparison.Ordinal) + mark.Length)..];
        if (!int.TryParse(tail.Split('-')[0], out int id))
        {
            return false;
        }

        try
        {
            using System.Diagnostics.Process process = System.Diagnostics.Process.GetProcessById(id);
            return process.StartTime.ToUniversalTime() <= Directory.GetCreationTimeUtc(folder).AddSeconds(1);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private static string New(string target, string mark) => $"{target}{mark}{Environment.ProcessId}-{Guid.NewGuid():N}";
}
