// SPDX-License-Identifier: MIT
// The files that a model may read: itself, and external data that really lies in its folder. What is opened is checked
// after it is open, so that a file or link swapped in between gains nothing.
using Microsoft.Win32.SafeHandles;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>Opens the files of one model and keeps them open until disposed.</summary>
internal sealed class ModelFiles(string? modelPath, string? folder, bool allowHardLinks)
{
    private readonly Dictionary<string, OpenFile> _open = new(StringComparer.Ordinal);
    private string[]? _roots;

    /// <summary>A file that is open for reading.</summary>
    internal sealed record OpenFile(string Path, SafeFileHandle Handle, long Length);

    /// <summary>Opens a model file, which may be a link to anywhere.</summary>
    /// <exception cref="InvalidModelException">There is no such file, or it is no regular file.</exception>
    public static OpenFile OpenModel(string path) => Open(path, path, "the model file");

    /// <summary>The file that external data names.</summary>
    /// <param name="location">A plain relative path.</param>
    /// <exception cref="InvalidModelException">It does not exist, is no regular file, or lies outside the model's folder.</exception>
    public OpenFile External(string location)
    {
        if (folder is null)
        {
            throw new InvalidModelException(modelPath ?? "model in memory", $"it refers to external data '{location}', but it has no folder.");
        }

        string path = Path.Combine(folder, location);
        lock (_open)
        {
            if (_open.TryGetValue(path, out OpenFile? known))
            {
                return known;
            }

            OpenFile file = Open(path, modelPath ?? folder, $"external data '{location}'");
            try
            {
                RequireContained(file, location);
            }
            catch
            {
                file.Handle.Dispose();
                throw;
            }

            _open.Add(path, file);
            return file;
        }
    }

    /// <summary>A file named by a <see cref="TensorLocation"/>, which was checked when the location was made.</summary>
    public OpenFile At(string path)
    {
        lock (_open)
        {
            if (!_open.TryGetValue(path, out OpenFile? file))
            {
                file = Open(path, path, "the file with tensor data");
                _open.Add(path, file);
            }

            return file;
        }
    }

    private static OpenFile Open(string path, string blamed, string what)
    {
        if (PosixFile.Status(path, followLinks: true) is { } before && (before.Mode & PosixFile.KindMask) != PosixFile.KindRegular)
        {
            throw new InvalidModelException(blamed, $"{what} is no regular file.");
        }

        SafeFileHandle handle;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidModelException(blamed, $"{what} does not exist.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidModelException(blamed, $"{what} cannot be opened: {e.Message}", e);
        }

        if (PosixFile.Status(handle) is { } status && (status.Mode & PosixFile.KindMask) != PosixFile.KindRegular)
        {
            handle.Dispose();
            throw new InvalidModelException(blamed, $"{what} is no regular file.");
        }

        return new OpenFile(path, handle, RandomAccess.GetLength(handle));
    }

    /// <summary>
    /// ONNX Runtime's rule: what the name leads to lies below the folder of the model's path, or, where the model itself
    /// is a link (the Hugging Face cache), below the folder that the model really lies in. A second hard link could
    /// smuggle in any file of the same disk, so it is refused unless allowed.
    /// </summary>
    private void RequireContained(OpenFile file, string location)
    {
        string blamed = modelPath ?? folder!;
        if (!allowHardLinks && PosixFile.Status(file.Handle) is { Links: > 1 } status)
        {
            throw new InvalidModelException(blamed, $"external data '{location}' has {status.Links} hard links, so it may be a file from elsewhere.");
        }

        string real = PosixFile.RealPath(file.Handle) ?? RealPath(file.Path);
        _roots ??= Roots();
        if (!_roots.Any(root => real.StartsWith(root, StringComparison.Ordinal)))
        {
            throw new InvalidModelException(blamed, $"external data '{location}' lies outside the model's folder, at '{real}'.");
        }
    }

    private string[] Roots()
    {
        List<string> roots = [WithSeparator(RealPath(folder!))];
        if (modelPath is not null && File.Exists(modelPath))
        {
            roots.Add(WithSeparator(Path.GetDirectoryName(RealPath(modelPath))!));
        }

        return [.. roots];
    }

    private static string WithSeparator(string folder) =>
        folder.EndsWith(Path.DirectorySeparatorChar) ? folder : folder + Path.DirectorySeparatorChar;

    /// <summary>The path with every link in it followed.</summary>
    internal static string RealPath(string path)
    {
        string full = Path.GetFullPath(path);
        string real = Path.GetPathRoot(full)!;
        Stack<string> left = new(full[real.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries).Reverse());
        for (int links = 0; left.TryPop(out string? part);)
        {
            if (part is "." or "..")
            {
                real = part == "." ? real : Path.GetDirectoryName(real) ?? real;
                continue;
            }

            string next = Path.Combine(real, part);
            string? target = new FileInfo(next).LinkTarget;
            if (target is null)
            {
                real = next;
                continue;
            }

            if (++links > 40)
            {
                throw new IOException($"{path}: more than 40 links lead on.");
            }

            if (Path.IsPathRooted(target))
            {
                real = Path.GetPathRoot(target)!;
                target = target[real.Length..];
            }

            foreach (string piece in target.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries).Reverse())
            {
                left.Push(piece);
            }
        }

        return real;
    }
}
