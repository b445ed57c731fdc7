// SPDX-License-Identifier: MIT
// A complete model folder: the model and its data under the source's names, everything that lay beside it, thresholds,
// report, native library and manifest, written as a whole or not at all.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Output;

/// <summary>What to write, and where.</summary>
public sealed record RewrittenFolder
{
    /// <summary>The source: a model folder, or a bare .onnx file, of which only the graph and its data are taken.</summary>
    public required string Source { get; init; }

    /// <summary>The model to write; loaded from the source and changed.</summary>
    public required OnnxModel Model { get; init; }

    /// <summary>The folder to write; absent, empty, or replaced where <see cref="Overwrite"/> says so.</summary>
    public required string Target { get; init; }

    /// <summary>Whether an existing folder is replaced once the new one is whole.</summary>
    public bool Overwrite { get; init; }

    /// <summary>thresholds.json, if any.</summary>
    public ReadOnlyMemory<byte>? Thresholds { get; init; }

    /// <summary>cats-report.json, if any.</summary>
    public ReadOnlyMemory<byte>? Report { get; init; }

    /// <summary>The native library to put beside the model and, in a GenAI folder, to name in its configuration; null: none.</summary>
    public string? NativeLibrary { get; init; }

    /// <summary>Tensors that must be finite; see <see cref="SaveOptions.RequireFinite"/>.</summary>
    public Func<TensorProto, bool>? RequireFinite { get; init; }

    /// <summary>The version that the manifest names.</summary>
    public string LibraryVersion { get; init; } = FolderManifest.CurrentVersion;

    /// <summary>What was written.</summary>
    /// <param name="Files">Every file but the manifest, by path below the folder.</param>
    /// <param name="ModelPath">The model file.</param>
    /// <param name="LeftOut">What of the source was not copied, and why.</param>
    public sealed record Written(IReadOnlyList<SavedFile> Files, string ModelPath, IReadOnlyList<LeftOut> LeftOut);

    /// <summary>Writes the folder.</summary>
    /// <param name="progress">Told about bytes of the model.</param>
    /// <param name="cancellation">Stops the writing; nothing is left.</param>
    /// <param name="beforeCommit">Called with the whole folder before it gets its name; what it throws leaves nothing written.</param>
    /// <exception cref="NonFiniteTensorException">Tensors that must be finite are not; nothing is left.</exception>
    /// <exception cref="InvalidModelException">The source cannot be read.</exception>
    /// <exception cref="IOException">The target exists, is an input, or the disk is full.</exception>
    public Written Write(IProgress<SaveProgress>? progress = null, CancellationToken cancellation = default, Action<string>? beforeCommit = null)
    {
        SourceFiles source = SourceFiles.Of(Source, Model);
        using FolderTransaction transaction = FolderTransaction.Begin(Target, Overwrite, source.Folder ?? Model.Path!);
        string staging = transaction.StagingFolder;
        List<SavedFile> files = [];
        foreach (string name in source.Beside)
        {
            cancellation.ThrowIfCancellationRequested();
            string copy = Prepare(staging, name);
            if (name == GenAiConfigEdit.FileName)
            {
                File.WriteAllBytes(copy, EditConfig(Path.Combine(source.Folder!, name)));
            }
            else
            {
                CopyContent(Path.Combine(source.Folder!, name), copy);
            }

            files.Add(FolderManifest.Hash(copy, name));
        }

        string modelPath = Prepare(staging, source.ModelName);
        string modelFolder = source.ModelName.Contains('/') ? source.ModelName[..(source.ModelName.LastIndexOf('/') + 1)] : string.Empty;
        SaveOptions options = new() { ExternalDataFileName = source.DataName, RequireFinite = RequireFinite };
        files.AddRange(Model.Save(modelPath, options, progress, cancellation).Select(file => file with { Name = modelFolder + file.Name }));
        Add("thresholds.json", Thresholds);
        Add("cats-report.json", Report);
        if (NativeLibrary is { } library)
        {
            string copy = Prepare(staging, modelFolder + Path.GetFileName(library));
            CopyContent(library, copy);
            files.Add(FolderManifest.Hash(copy, modelFolder + Path.GetFileName(library)));
        }

        FolderManifest manifest = new(LibraryVersion, files);
        File.WriteAllBytes(Path.Combine(staging, FolderManifest.FileName), manifest.ToJson());
        CrashPoint.Reach("manifest");
        beforeCommit?.Invoke(staging);
        cancellation.ThrowIfCancellationRequested();
        transaction.Commit();
        return new Written(manifest.Files, Path.Combine(Path.GetFullPath(Target), source.ModelName), source.LeftOut);

        void Add(string name, ReadOnlyMemory<byte>? bytes)
        {
            if (bytes is { } content)
            {
                File.WriteAllBytes(Path.Combine(staging, name), content.Span);
                files.Add(FolderManifest.Hash(Path.Combine(staging, name), name));
            }
        }
    }

    private static string Prepare(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }

    /// <summary>Copies bytes, not permissions: a read-only source gives a folder that its owner can change.</summary>
    private static void CopyContent(string from, string to)
    {
        try
        {
            using FileStream source = new(from, FileMode.Open, FileAccess.Read, FileShare.Read);
            using FileStream copy = new(to, FileMode.CreateNew, FileAccess.Write, FileShare.None);
            source.CopyTo(copy, 1 << 20);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new IOException($"{to}: the file system or the user's limit allows no file of that size.", e);
        }

        CrashPoint.Reach($"copied {Path.GetFileName(to)}");
    }

    private byte[] EditConfig(string path)
    {
        byte[] json = File.ReadAllBytes(path);
        try
        {
            if (NativeLibrary is not null)
            {
                return GenAiConfigEdit.SetLibrary(json, Path.GetFileName(NativeLibrary));
            }

            return SourceFiles.LibraryNames.Contains(GenAiConfigEdit.GetLibrary(json)) ? GenAiConfigEdit.SetLibrary(json, null) : json;
        }
        catch (System.Text.Json.JsonException e)
        {
            throw new InvalidModelException(path, $"it is no GenAI configuration: {e.Message}", e);
        }
    }
}
