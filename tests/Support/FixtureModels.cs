// SPDX-License-Identifier: MIT
// The stored exports, each by a short path that names it in test output.
namespace CatsOnnx.Tests.Support;

/// <summary>Lists the .onnx files of ../shared/fixtures and of ../shared/models, or of tests/assets.</summary>
public static class FixtureModels
{
    /// <summary>Every fixture's model file, as a path below the root of the test data.</summary>
    public static IReadOnlyList<string> All()
    {
        List<string> found = [];
        foreach (string part in new[] { "fixtures", "models" })
        {
            if (SharedFiles.Find(part) is { } folder)
            {
                found.AddRange(Directory.EnumerateFiles(folder, "*.onnx", SearchOption.AllDirectories)
                    .Select(file => Path.Combine(part, Path.GetRelativePath(folder, file)).Replace('\\', '/')));
            }
        }

        found.Sort(StringComparer.Ordinal);
        return found;
    }

    /// <summary>The file behind a path of <see cref="All"/>.</summary>
    public static string Resolve(string path) =>
        SharedFiles.Find(path.Split('/')) ?? throw new FileNotFoundException($"{path} is neither in ../shared nor in tests/assets.");
}
