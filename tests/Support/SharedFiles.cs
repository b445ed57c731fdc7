// SPDX-License-Identifier: MIT
// Where test data lies: ../shared beside the checkout, else the small subset in tests/assets.
namespace CatsOnnx.Tests.Support;

/// <summary>Finds the repository and its test data.</summary>
public static class SharedFiles
{
    /// <summary>The folder that holds CatsOnnx.sln.</summary>
    public static string RepositoryRoot { get; } = FindRepositoryRoot();

    /// <summary>../shared beside the repository, or null where it is absent.</summary>
    public static string? SharedRoot { get; } = FindShared();

    /// <summary>A file or folder below ../shared, else the same path below tests/assets, else null.</summary>
    public static string? Find(params string[] parts)
    {
        foreach (string? root in new[] { SharedRoot, Path.Combine(RepositoryRoot, "tests", "assets") })
        {
            if (root is null)
            {
                continue;
            }

            string path = Path.Combine([root, .. parts]);
            if (File.Exists(path) || Directory.Exists(path))
            {
                return path;
            }
        }

        return null;
    }

    private static string FindRepositoryRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "CatsOnnx.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException($"CatsOnnx.sln is in no folder above {AppContext.BaseDirectory}.");
    }

    private static string? FindShared()
    {
        string path = Path.GetFullPath(Path.Combine(RepositoryRoot, "..", "shared"));
        return Directory.Exists(Path.Combine(path, "fixtures")) ? path : null;
    }
}
