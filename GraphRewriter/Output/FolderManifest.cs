// SPDX-License-Identifier: MIT
// cats-manifest.json: SHA-256 and size of every file of a rewritten folder, so that one flipped bit is noticed.
using System.Security.Cryptography;
using System.Text.Json;
using CatsOnnx.GraphRewriter.Model;

namespace CatsOnnx.GraphRewriter.Output;

/// <summary>Writes, reads and checks the manifest of a folder.</summary>
public sealed class FolderManifest
{
    /// <summary>The manifest's file name.</summary>
    public const string FileName = "cats-manifest.json";

    private const int SchemaVersion = 1;
    private const long MaxBytes = 64 * 1024 * 1024;

    /// <summary>Creates a manifest.</summary>
    /// <param name="libraryVersion">Version of the tool and library that wrote the folder.</param>
    /// <param name="files">The files, by path below the folder with '/' between parts.</param>
    public FolderManifest(string libraryVersion, IReadOnlyList<SavedFile> files)
    {
        LibraryVersion = libraryVersion;
        Files = [.. files.OrderBy(file => file.Name, StringComparer.Ordinal)];
    }

    /// <summary>Version of the tool and library that wrote the folder.</summary>
    public string LibraryVersion { get; }

    /// <summary>The files in order of their names.</summary>
    public IReadOnlyList<SavedFile> Files { get; }

    /// <summary>The version of this build.</summary>
    public static string CurrentVersion { get; } = typeof(FolderManifest).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    /// <summary>The manifest's text.</summary>
    public byte[] ToJson()
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteNumber("schema_version", SchemaVersion);
            writer.WriteString("library_version", LibraryVersion);
            writer.WriteStartArray("files");
            foreach (SavedFile file in Files)
            {
                writer.WriteStartObject();
                writer.WriteString("path", file.Name);
                writer.WriteNumber("bytes", file.Length);
                writer.WriteString("sha256", file.Sha256);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    /// <summary>Reads the manifest of a folder.</summary>
    /// <param name="folder">A model folder.</param>
    /// <returns>The manifest, or null where the folder has none.</returns>
    /// <exception cref="InvalidModelException">The manifest is damaged or of an unknown version.</exception>
    public static FolderManifest? Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        if (new FileInfo(path).Length > MaxBytes)
        {
            throw new InvalidModelException(path, $"it is larger than {MaxBytes} bytes.");
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            JsonElement root = document.RootElement;
            int version = root.GetProperty("schema_version").GetInt32();
            if (version != SchemaVersion)
            {
                throw new InvalidModelException(path, $"it has schema version {version}; {SchemaVersion} is known.");
            }

            List<SavedFile> files = [];
            foreach (JsonElement file in root.GetProperty("files").EnumerateArray())
            {
                string name = file.GetProperty("path").GetString() ?? throw new FormatException("a path is null");
                if (name.Split('/').Any(part => part is "" or "." or "..") || Path.IsPathRooted(name))
                {
                    throw new FormatException($"the path '{name}' is not below the folder");
                }

                files.Add(new SavedFile(name, file.GetProperty("bytes").GetInt64(), file.GetProperty("sha256").GetString() ?? string.Empty));
            }

            return new FolderManifest(root.GetProperty("library_version").GetString() ?? string.Empty, files);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidModelException(path, $"it is no manifest: {e.Message}", e);
        }
    }

    /// <summary>Reads every file of a folder and compares it with the manifest.</summary>
    /// <param name="folder">A folder with a manifest.</param>
    /// <returns>What is wrong, one line a file; empty where all is as it was written.</returns>
    /// <exception cref="InvalidModelException">The folder has no manifest, or a damaged one.</exception>
    public static IReadOnlyList<string> Verify(string folder)
    {
        FolderManifest manifest = Read(folder) ?? throw new InvalidModelException(Path.Combine(folder, FileName), "it does not exist.");
        List<string> faults = [];
        foreach (SavedFile expected in manifest.Files)
        {
            string path = Path.Combine(folder, expected.Name);
            if (!File.Exists(path))
            {
                faults.Add($"{expected.Name} is missing.");
                continue;
            }

            SavedFile actual = Hash(path, expected.Name);
            if (actual.Length != expected.Length)
            {
                faults.Add($"{expected.Name} has {actual.Length} bytes; it was written with {expected.Length}.");
            }
            else if (!string.Equals(actual.Sha256, expected.Sha256, StringComparison.OrdinalIgnoreCase))
            {
                faults.Add($"{expected.Name} has the SHA-256 {actual.Sha256}; it was written with {expected.Sha256}.");
            }
        }

        return faults;
    }

    /// <summary>Size and SHA-256 of a file.</summary>
    internal static SavedFile Hash(string path, string name)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.SequentialScan);
        return new SavedFile(name, stream.Length, Convert.ToHexStringLower(SHA256.HashData(stream)));
    }
}
