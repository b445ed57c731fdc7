// SPDX-License-Identifier: MIT
// The trained models, their text and their reference numbers; archives are unpacked once, beside the build outputs.
using System.Diagnostics;
using System.Text.Json;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;
using CatsOnnx.Text;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.Support;

/// <summary>Finds trained models and rewrites them.</summary>
public static class TrainedModels
{
    private static readonly Lock s_unpacking = new();

    /// <summary>A model folder below ../shared/models, or null where it is absent.</summary>
    public static ModelFolder? Find(string folder)
        => SharedFiles.Find(["models", .. folder.Split('/')]) is string path ? ModelFolder.Open(path) : null;

    /// <summary>A model that is stored as NAME.tar.xz, unpacked into artifacts/models; null where it is absent.</summary>
    public static ModelFolder? Unpack(string name)
    {
        if (SharedFiles.Find("models", name + ".tar.xz") is not string archive)
        {
            return null;
        }

        string folder = Path.Combine(SharedFiles.RepositoryRoot, "artifacts", "models", name);
        lock (s_unpacking)
        {
            if (!Directory.Exists(folder))
            {
                // Into a sibling first: another run of the tests must not see half a model.
                string sibling = $"{folder}.{Environment.ProcessId}.tmp";
                Directory.CreateDirectory(sibling);
                using Process tar = Process.Start("tar", ["-xJf", archive, "-C", sibling, "--strip-components=1"]);
                tar.WaitForExit();
                if (tar.ExitCode != 0)
                {
                    throw new InvalidDataException($"tar could not unpack {archive}: exit {tar.ExitCode}.");
                }

                if (!Directory.Exists(folder))
                {
                    Directory.Move(sibling, folder);
                }
            }
        }

        return ModelFolder.Open(folder);
    }

    /// <summary>The windows of a text below ../shared/models/text, in the ids of a model's tokenizer.</summary>
    public static TextWindows Windows(ModelFolder model, string text, int? maxTokens = null, int length = TextWindows.DefaultLength)
    {
        TextTokenizer tokenizer = model.LoadTokenizer();
        return TextWindows.FromFiles(
            [SharedFiles.Find("models", "text", text)!], document => tokenizer.Encode(document), tokenizer.BosId, tokenizer.EosId, maxTokens, length);
    }

    /// <summary>Rewrites a model into a folder of its own, with the files that lie beside it.</summary>
    public static ModelFolder Rewrite(ModelFolder model, ThresholdTable thresholds, string folder, bool unfused = false)
    {
        Directory.CreateDirectory(folder);
        OnnxModel graph = OnnxModel.Load(model.ModelPath);
        ModelRewriter.Rewrite(graph, new RewriteOptions { Thresholds = thresholds, Unfused = unfused });
        graph.Save(Path.Combine(folder, Path.GetFileName(model.ModelPath)));
        foreach (string file in Directory.EnumerateFiles(model.Root).Where(file => Path.GetExtension(file) is ".json" or ".model"))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        return ModelFolder.Open(folder);
    }

    /// <summary>An entry of ../shared/models/reference/NAME.json.</summary>
    public static JsonElement Reference(string name, string entry)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(SharedFiles.Find("models", "reference", name + ".json")!));
        return document.RootElement.GetProperty(entry).Clone();
    }
}
