// SPDX-License-Identifier: MIT
// A folder of a test's own, removed afterwards.
namespace CatsOnnx.Tests.Support;

/// <summary>A new, empty folder.</summary>
public sealed class TemporaryFolder : IDisposable
{
    /// <summary>Its full path.</summary>
    public string Path { get; } = Directory.CreateTempSubdirectory("cats-test-").FullName;

    /// <summary>Removes it with all that is in it.</summary>
    public void Dispose() => Directory.Delete(Path, recursive: true);
}
