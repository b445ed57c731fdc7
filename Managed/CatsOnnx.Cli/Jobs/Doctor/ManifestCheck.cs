// SPDX-License-Identifier: MIT
// The files of a rewritten folder against its manifest: model, weights and library must be what was written.
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Output;

namespace CatsOnnx.Cli.Jobs.Doctor;

internal static class ManifestCheck
{
    private const int Piece = 1 << 20;

    /// <summary>Hashes every file that the manifest names.</summary>
    /// <param name="root">The model's folder.</param>
    /// <param name="libraryPath">The library that this tool uses, or null.</param>
    public static void Run(string root, string? libraryPath, Findings findings, JsonObject document, CancellationToken cancellation)
    {
        FolderManifest? manifest;
        try
        {
            manifest = FolderManifest.Read(root);
        }
        catch (InvalidModelException error)
        {
            findings.Problem("files", $"{error.Message}", "rewrite the source model again");
            return;
        }

        if (manifest is null)
        {
            findings.Note("files", $"{root} has no {FolderManifest.FileName}: whether its files are as they were written is not known");
            return;
        }

        Dictionary<string, string?> hashes = Hash(root, manifest, cancellation);
        int changed = 0;
        foreach (SavedFile file in manifest.Files)
        {
            string? hash = hashes[file.Name];
            if (string.Equals(hash, file.Sha256, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            changed++;
            FormattableString found = $"{file.Name} {(hash is null ? "is missing" : $"is not as it was written: SHA-256 {hash} instead of {file.Sha256}")}";
            if (IsVital(file.Name))
            {
                findings.Problem("files", found, "rewrite the source model again, or copy the folder again from where it is whole");
            }
            else
            {
                findings.Note("files", found); // a configuration that a person edits
            }
        }

        document["files"] = manifest.Files.Count;
        document["files_changed"] = changed;
        if (changed == 0)
        {
            findings.Ok("files", $"all {manifest.Files.Count} are as version {manifest.LibraryVersion} wrote them");
        }

        Beside(manifest, hashes, libraryPath, findings, document);
    }

    /// <summary>The library beside the model, which ONNX Runtime GenAI loads, against the one that this tool uses.</summary>
    private static void Beside(
        FolderManifest manifest, Dictionary<string, string?> hashes, string? libraryPath, Findings findings, JsonObject document)
    {
        SavedFile? beside = manifest.Files.FirstOrDefault(file => IsLibrary(file.Name));
        document["library_beside"] = beside?.Name;
        document["library_intact"] = beside is null ? null : string.Equals(hashes[beside.Name], beside.Sha256, StringComparison.OrdinalIgnoreCase);
        if (beside is null)
        {
            findings.Note("files", $"no library lies beside the model: ONNX Runtime GenAI needs one; this tool and CatsOnnx bring their own");
        }
        else if (libraryPath is not null && hashes[beside.Name] is { } hash)
        {
            using FileStream own = File.OpenRead(libraryPath);
            bool same = string.Equals(hash, Convert.ToHexStringLower(SHA256.HashData(own)), StringComparison.Ordinal);
            if (same)
            {
                findings.Ok("files", $"{beside.Name} beside the model is the library that this tool uses");
            }
            else
            {
                findings.Note("files", $"{beside.Name} beside the model, which ONNX Runtime GenAI loads, is another build than {libraryPath}");
            }
        }
    }

    private static Dictionary<string, string?> Hash(string root, FolderManifest manifest, CancellationToken cancellation)
    {
        string[] there = [.. manifest.Files.Select(file => file.Name).Where(name => File.Exists(Path.Combine(root, name)))];
        long total = there.Sum(name => new FileInfo(Path.Combine(root, name)).Length);
        Dictionary<string, string?> hashes = manifest.Files.ToDictionary(file => file.Name, string? (_) => null, StringComparer.Ordinal);
        return ProgressBar.Run("checking files", "MB", 1e6, progress =>
        {
            byte[] buffer = new byte[Piece];
            long done = 0;
            foreach (string name in there)
            {
                using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                using FileStream stream = new(Path.Combine(root, name), FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
                int read;
                while ((read = stream.Read(buffer)) > 0)
                {
                    cancellation.ThrowIfCancellationRequested();
                    hash.AppendData(buffer, 0, read);
                    done += read;
                    progress?.Report(new WorkDone(done, total));
                }

                hashes[name] = Convert.ToHexStringLower(hash.GetHashAndReset());
            }

            return hashes;
        });
    }

    private static bool IsLibrary(string name) => Path.GetExtension(name) is ".so" or ".dll" or ".dylib";

    // Without these the model gives other results, or none. Names as the rewriter writes them: model.onnx, model.onnx.data.
    private static bool IsVital(string name) => IsLibrary(name) || name.Contains(".onnx", StringComparison.Ordinal);
}
