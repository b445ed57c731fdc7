// SPDX-License-Identifier: MIT
// Where a verb may write: never into, around or over what it reads.
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Jobs;

internal static class OutputFolder
{
    /// <summary>Refuses an output folder that is, holds, or lies inside the input.</summary>
    /// <param name="input">The model folder, or the folder of a .onnx file.</param>
    /// <param name="output">The output folder.</param>
    /// <exception cref="UsageException">The two overlap.</exception>
    public static void RequireApart(string input, string output)
    {
        string from = Normal(input);
        string to = Normal(output);
        string? overlap =
            from == to ? "is the model's own folder"
            : IsInside(to, from) ? "lies inside the model's folder"
            : IsInside(from, to) ? "holds the model's folder"
            : null;
        if (overlap is not null)
        {
            throw new UsageException($"The output '{output}' {overlap} ('{input}'); give another folder, the input is never changed.");
        }
    }

    /// <summary>Refuses, before any long work, an output folder that may not be written.</summary>
    /// <exception cref="UnsuitableInputException">It exists and is not empty, and was not to be replaced; or it is a file; or nothing can be written where it would be.</exception>
    public static void RequireFree(string output, bool overwrite)
    {
        if (File.Exists(output))
        {
            throw new UnsuitableInputException($"The output '{output}' is a file; give a folder.");
        }

        if (!overwrite && Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any())
        {
            throw new UnsuitableInputException($"The output folder '{output}' exists and is not empty; give another one, or --overwrite to replace it.");
        }

        RequireWritable(output);
    }

    // Asked before hours of work, not after them; the folder itself is made at its end.
    private static void RequireWritable(string output)
    {
        string parent = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(output))) ?? output;
        while (!Path.Exists(parent) && Path.GetDirectoryName(parent) is { } above)
        {
            parent = above;
        }

        try
        {
            Directory.Delete(Directory.CreateDirectory(Path.Combine(parent, $".cats-{Path.GetRandomFileName()}")).FullName);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UnsuitableInputException($"The output '{output}' cannot be made: nothing can be written to {parent}; give another folder.");
        }
    }

    private static bool IsInside(string path, string folder) =>
        path.StartsWith(folder.EndsWith(Path.DirectorySeparatorChar) ? folder : folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    // Links are followed as far as the path exists, so that another name for the same folder is seen through.
    private static string Normal(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        for (string? existing = full; existing is not null; existing = Path.GetDirectoryName(existing))
        {
            if (!Path.Exists(existing))
            {
                continue;
            }

            string real = Resolve(existing);
            return real + full[existing.Length..];
        }

        return full;
    }

    private static string Resolve(string path)
    {
        string real = Path.GetPathRoot(path)!;
        foreach (string part in path[real.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            string next = Path.Combine(real, part);
            FileSystemInfo info = Directory.Exists(next) ? new DirectoryInfo(next) : new FileInfo(next);
            real = info.ResolveLinkTarget(returnFinalTarget: true) is { } target ? Path.GetFullPath(target.FullName) : next;
        }

        return real;
    }
}
