// SPDX-License-Identifier: MIT
// A folder of a test's own, removed afterwards.
namespace CatsOnnx.Tests.Support;

/// <summary>A new, empty folder.</summary>
public sealed class TemporaryFolder : IDisposable
{
    /// <summary>Its full path.</summary>
    public string Path { get; } = Directory.CreateTempSubdirectory("cats-test-").FullName;

    /// <summary>A path below the folder.</summary>
    public string this[params string[] parts] => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>Copies a folder's files (not its subfolders) and makes them writable.</summary>
    public string Copy(string source, string name)
    {
        string target = this[name];
        Directory.CreateDirectory(target);
        foreach (string file in Directory.GetFiles(source))
        {
            string copy = System.IO.Path.Combine(target, System.IO.Path.GetFileName(file));
            File.Copy(file, copy);
            File.SetAttributes(copy, FileAttributes.Normal);
        }

        return target;
    }

    /// <summary>Removes it with all that is in it.</summary>
    public void Dispose() => Directory.Delete(Path, recursive: true);
}
