// SPDX-License-Identifier: MIT
// Which files of a model's folder belong beside the model, and which are left out and why.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Storage;

namespace CatsOnnx.GraphRewriter.Output;

/// <summary>A file or folder that is not copied.</summary>
/// <param name="Path">Its path below the source folder.</param>
/// <param name="Reason">Why.</param>
public sealed record LeftOut(string Path, string Reason);

/// <summary>The files beside a model.</summary>
internal sealed class SourceFiles
{
    private const int MaxDepth = 6;

    /// <summary>Names of our native library on every system.</summary>
    internal static readonly string[] LibraryNames = ["libcats_onnx.so", "cats_onnx.dll", "libcats_onnx.dylib"];

    private static readonly string[] s_written = ["thresholds.json", "cats-report.json", FolderManifest.FileName];
    private static readonly string[] s_otherWeights = [".safetensors", ".gguf", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".bin"];

    private SourceFiles(string? folder, string modelName, string? dataName, IReadOnlyList<string> beside, IReadOnlyList<LeftOut> leftOut)
    {
        Folder = folder;
        ModelName = modelName;
        DataName = dataName;
        Beside = beside;
        LeftOut = leftOut;
    }

    /// <summary>The source folder; null where the source is a bare .onnx file.</summary>
    public string? Folder { get; }

    /// <summary>The model's path below the folder, with '/' between parts.</summary>
    public string ModelName { get; }

    /// <summary>The name of the model's one data file; null where it has none, or several.</summary>
    public string? DataName { get; }

    /// <summary>The files to copy, by path below the folder.</summary>
    public IReadOnlyList<string> Beside { get; }

    /// <summary>What is not copied, and why. The model itself, its data, and what every rewrite writes anew are not listed.</summary>
    public IReadOnlyList<LeftOut> LeftOut { get; }

    /// <summary>Looks through a source.</summary>
    /// <param name="source">A model folder or a .onnx file.</param>
    /// <param name="model">The model that was chosen from it.</param>
    /// <exception cref="ArgumentException">The model was not loaded from that source.</exception>
    public static SourceFiles Of(string source, OnnxModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        string modelPath = model.Path ?? throw new ArgumentException("The model was not loaded from a file.", nameof(model));
        string? dataName = DataNameOf(model);
        if (!Directory.Exists(source))
        {
            return new SourceFiles(null, Path.GetFileName(modelPath), dataName, [], []);
        }

        string folder = Path.GetFullPath(source);
        string modelName = Relative(folder, modelPath);
        if (modelName.StartsWith("..", StringComparison.Ordinal))
        {
            throw new ArgumentException($"{modelPath} does not lie in {source}.", nameof(source));
        }

        List<string> beside = [];
        List<LeftOut> leftOut = [];
        Dictionary<string, string> data = OtherData(folder, modelPath, model, leftOut);
        string[] roots = [ModelFiles.RealPath(folder), Path.GetDirectoryName(ModelFiles.RealPath(modelPath))!];
        Collect(folder, folder, 0, path =>
        {
            string name = Relative(folder, path);
            string file = Path.GetFileName(path);
            if (name == modelName || s_written.Contains(name) || LibraryNames.Contains(file) || file.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase))
            {
                return;
            }

            string real = ModelFiles.RealPath(path);
            string? reason = data.TryGetValue(name, out string? owner) ? owner
                : s_otherWeights.Contains(Path.GetExtension(path).ToLowerInvariant()) ? "weights in another format"
                : !roots.Any(root => real.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal)) ? $"a link to '{real}', outside the model's folder"
                : PosixFile.Status(path, followLinks: true) is { } status && (status.Mode & PosixFile.KindMask) != PosixFile.KindRegular ? "no regular file"
                : null;
            if (reason is null)
            {
                beside.Add(name);
            }
            else if (reason.Length > 0)
            {
                leftOut.Add(new LeftOut(name, reason));
            }
        }, leftOut);
        beside.Sort(StringComparer.Ordinal);
        return new SourceFiles(folder, modelName, dataName, beside, leftOut);
    }

    /// <summary>The one file that a model's external data lies in.</summary>
    private static string? DataNameOf(OnnxModel model)
    {
        string[] names = [.. Locations(model.Proto).Distinct().Take(2)];
        return names.Length == 1 && !names[0].Contains('/') ? names[0] : null;
    }

    private static IEnumerable<string> Locations(ModelProto proto) => TensorWalk.Tensors(proto)
        .Where(tensor => tensor.DataLocation == TensorProto.Types.DataLocation.External)
        .SelectMany(tensor => tensor.ExternalData.Where(entry => entry.Key == "location").Select(entry => entry.Value));

    /// <summary>Data files of this model (reason empty) and of the other graphs of the folder (with their reason).</summary>
    private static Dictionary<string, string> OtherData(string folder, string modelPath, OnnxModel model, List<LeftOut> leftOut)
    {
        Dictionary<string, string> data = new(StringComparer.Ordinal);
        List<string> graphs = [];
        Collect(folder, folder, 0, path =>
        {
            if (path.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase) && path != modelPath)
            {
                graphs.Add(path);
            }
        }, []);
        foreach (string path in graphs)
        {
            string name = Relative(folder, path);
            leftOut.Add(new LeftOut(name, "another graph"));
            foreach (string suffix in new[] { ".data", "_data" })
            {
                data[name + suffix] = $"data of {name}";
            }

            try
            {
                foreach (string location in Locations(OnnxModel.Load(path).Proto))
                {
                    data[Relative(folder, Path.Combine(Path.GetDirectoryName(path)!, location))] = $"data of {name}";
                }
            }
            catch (InvalidModelException)
            {
                // a graph that cannot be read is left out like any other; its data is known by name alone
            }
        }

        string ownFolder = Path.GetDirectoryName(modelPath)!;
        string own = Relative(folder, modelPath);
        foreach (string location in Locations(model.Proto).Distinct().Append(Path.GetFileName(own) + ".data").Append(Path.GetFileName(own) + "_data"))
        {
            data[Relative(folder, Path.Combine(ownFolder, location))] = string.Empty;
        }

        return data;
    }

    private static void Collect(string root, string folder, int depth, Action<string> file, List<LeftOut> leftOut)
    {
        foreach (string path in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
        {
            file(path);
        }

        foreach (string inner in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal))
        {
            if (Path.GetFileName(inner).StartsWith('.') || new DirectoryInfo(inner).LinkTarget is not null || depth == MaxDepth)
            {
                leftOut.Add(new LeftOut(Relative(root, inner) + "/", "a hidden, linked or very deep folder"));
            }
            else
            {
                Collect(root, inner, depth + 1, file, leftOut);
            }
        }
    }

    private static string Relative(string folder, string path) => Path.GetRelativePath(folder, path).Replace('\\', '/');
}
