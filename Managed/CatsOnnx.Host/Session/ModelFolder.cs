// SPDX-License-Identifier: MIT
// A model on disk as exporters lay it out: which graph, which configuration, which tokenizer.
using CatsOnnx.Tokenization;

namespace CatsOnnx.Session;

/// <summary>The layouts that are understood.</summary>
public enum ModelLayout
{
    /// <summary>An .onnx file with no configuration beside it.</summary>
    Bare,

    /// <summary>config.json and model.onnx in one folder (Optimum).</summary>
    Optimum,

    /// <summary>genai_config.json, which names the graph (ONNX Runtime GenAI).</summary>
    GenAI,

    /// <summary>config.json at the root, graphs in onnx/ (onnx-community).</summary>
    OnnxCommunity,
}

/// <summary>A model on disk. Opening one reads small files only.</summary>
public sealed class ModelFolder
{
    // In the order in which they are looked for in a folder.
    private static readonly string[] s_graphNames = ["model.onnx", "decoder_model_merged.onnx", "decoder_with_past_model.onnx", "decoder_model.onnx"];

    private ModelFolder(string root, string modelPath, ModelLayout layout, ModelConfig config, string? generationConfigPath)
    {
        Root = root;
        ModelPath = modelPath;
        Layout = layout;
        Config = config;
        GenerationConfigPath = generationConfigPath;
    }

    /// <summary>The folder that was opened (of a bare .onnx file: the folder it lies in).</summary>
    public string Root { get; }

    /// <summary>The graph's file.</summary>
    public string ModelPath { get; }

    /// <summary>The folder of the graph's file, to which its external data files are relative.</summary>
    public string ModelDirectory => Path.GetDirectoryName(ModelPath)!;

    /// <summary>How the folder is laid out.</summary>
    public ModelLayout Layout { get; }

    /// <summary>What its files say about the model; without files nothing is known yet.</summary>
    public ModelConfig Config { get; }

    /// <summary>The generation_config.json, where there is one.</summary>
    public string? GenerationConfigPath { get; }

    /// <summary>The tokenizer.json or tokenizer.model of the folder, or null.</summary>
    public string? TokenizerPath => TokenizerLoader.FileNames
        .SelectMany(name => (string[])[Path.Combine(Root, name), Path.Combine(ModelDirectory, name)])
        .FirstOrDefault(File.Exists);

    /// <summary>Opens a model folder or an .onnx file.</summary>
    /// <param name="path">A folder in one of the layouts, or an .onnx file (configuration and tokenizer are then taken
    /// from its folder, or the one above where the file lies in onnx/).</param>
    /// <param name="variant">Which graph where a folder holds several: a data type as in onnx/model_fp16.onnx ("fp16"),
    /// or a file name. Null: model.onnx, else the only graph there.</param>
    /// <exception cref="FileNotFoundException">There is no graph; the message names what was looked for.</exception>
    /// <exception cref="InvalidDataException">Several graphs fit, or a configuration file is wrong.</exception>
    public static ModelFolder Open(string path, string? variant = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = Path.GetFullPath(path);
        if (File.Exists(full))
        {
            return variant is null ? OpenFile(full) : throw new ArgumentException($"'{path}' is a file: a variant ('{variant}') is chosen in a folder.", nameof(variant));
        }

        if (!Directory.Exists(full))
        {
            throw new FileNotFoundException($"There is no model file or folder '{path}'.", path);
        }

        string genai = Path.Combine(full, "genai_config.json");
        if (File.Exists(genai))
        {
            (ModelConfig config, string fileName) = ModelConfig.ReadGenAI(genai);
            string graph = Path.GetFullPath(Path.Combine(full, variant is null ? fileName : ChooseGraph(full, variant)));
            return File.Exists(graph)
                ? new ModelFolder(full, graph, ModelLayout.GenAI, FillFromHuggingFace(config, full), null)
                : throw new FileNotFoundException($"'{genai}' names the graph '{fileName}', which is not there.", graph);
        }

        string? configPath = Existing(full, "config.json");
        string onnx = Path.Combine(full, "onnx");
        bool community = !HasGraphs(full) && HasGraphs(onnx);
        string modelPath = Path.Combine(community ? onnx : full, ChooseGraph(community ? onnx : full, variant));
        string? generation = Existing(full, "generation_config.json");
        ModelLayout layout = configPath is null ? ModelLayout.Bare : community ? ModelLayout.OnnxCommunity : ModelLayout.Optimum;
        return new ModelFolder(full, modelPath, layout, configPath is null ? new() : ModelConfig.ReadHuggingFace(configPath, generation), generation);
    }

    /// <summary>Reads the tokenizer of the folder.</summary>
    /// <param name="path">A tokenizer file or folder to use in its place, or null.</param>
    /// <exception cref="FileNotFoundException">There is none; the message names what was looked for.</exception>
    /// <exception cref="InvalidDataException">It cannot be read; the message names the field.</exception>
    public TextTokenizer LoadTokenizer(string? path = null) => TokenizerLoader.Load(path ?? TokenizerPath ?? Root);

    private static ModelFolder OpenFile(string file)
    {
        if (!file.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase))
        {
            throw new InvalidDataException($"'{file}' is not an .onnx file. Give a model folder or an .onnx file.");
        }

        string folder = Path.GetDirectoryName(file)!;
        string root = Path.GetFileName(folder) == "onnx" && Existing(folder, "config.json") is null ? Path.GetDirectoryName(folder)! : folder;
        if (Existing(root, "genai_config.json") is string genai)
        {
            return new ModelFolder(root, file, ModelLayout.GenAI, FillFromHuggingFace(ModelConfig.ReadGenAI(genai).Config, root), null);
        }

        if (Existing(root, "config.json") is string config)
        {
            string? generation = Existing(root, "generation_config.json");
            ModelLayout layout = root == folder ? ModelLayout.Optimum : ModelLayout.OnnxCommunity;
            return new ModelFolder(root, file, layout, ModelConfig.ReadHuggingFace(config, generation), generation);
        }

        return new ModelFolder(folder, file, ModelLayout.Bare, new ModelConfig(), null);
    }

    private static ModelConfig FillFromHuggingFace(ModelConfig config, string folder)
    {
        if (Existing(folder, "config.json") is not string path)
        {
            return config;
        }

        ModelConfig other = ModelConfig.ReadHuggingFace(path, null);
        return config with { IntermediateSize = other.IntermediateSize, HeadDim = config.HeadDim ?? other.HeadDim };
    }

    private static string ChooseGraph(string folder, string? variant)
    {
        string[] names = Directory.Exists(folder)
            ? [.. Directory.EnumerateFiles(folder, "*.onnx").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)]
            : [];
        string[] wanted = variant switch
        {
            null => s_graphNames,
            _ when variant.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase) => [variant],
            _ => [$"model_{variant}.onnx", $"decoder_model_merged_{variant}.onnx", $"{variant}.onnx", .. IsDefaultType(variant) ? s_graphNames : []],
        };
        string? found = wanted.FirstOrDefault(names.Contains) ?? (variant is null && names.Length == 1 ? names[0] : null);
        if (found is not null)
        {
            return found;
        }

        string looked = $"looked for {string.Join(", ", wanted)}";
        return names.Length == 0
            ? throw new FileNotFoundException($"Folder '{folder}' holds no graph: {looked}, genai_config.json and onnx/*.onnx.", folder)
            : throw new InvalidDataException($"No graph of folder '{folder}' fits{(variant is null ? "" : $" '{variant}'")}: {looked}; there are {string.Join(", ", names)}. Name one of them.");
    }

    private static bool IsDefaultType(string variant) => variant is "fp32" or "float32";

    private static bool HasGraphs(string folder) => Directory.Exists(folder) && Directory.EnumerateFiles(folder, "*.onnx").Any();

    private static string? Existing(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        return File.Exists(path) ? path : null;
    }
}
