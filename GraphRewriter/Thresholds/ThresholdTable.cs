// SPDX-License-Identifier: MIT
// Thresholds of a model's layers with where they come from: thresholds.json, read strictly.
using System.Text.Json;
using System.Text.Json.Serialization;

namespace CatsOnnx.GraphRewriter.Thresholds;

/// <summary>The thresholds of one layer.</summary>
public sealed record LayerThresholds
{
    /// <summary>A name for people; layers are told apart by their order.</summary>
    public required string Name { get; init; }

    /// <summary>Number of neurons.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>One threshold for the layer, or one for each neuron; finite, none negative.</summary>
    public required float[] Thresholds { get; init; }

    /// <summary>The share of neurons that stayed inactive on the calibration text, 0 to 1.</summary>
    public double Sparsity { get; init; }

    /// <summary>Number of activations it was measured on.</summary>
    public long Samples { get; init; }
}

/// <summary>The thresholds of a model.</summary>
public sealed record ThresholdTable
{
    /// <summary>The schema version this code reads and writes.</summary>
    public const int CurrentSchemaVersion = 1;

    private static readonly JsonSerializerOptions Strict = new(JsonSerializerOptions.Strict)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        PropertyNameCaseInsensitive = false,
        WriteIndented = true,
    };

    /// <summary>Version of the file's schema.</summary>
    [JsonPropertyOrder(-1)]
    public int SchemaVersion { get; init; } = CurrentSchemaVersion;

    /// <summary>The fingerprint of the model they were measured on.</summary>
    public required string ModelHash { get; init; }

    /// <summary>"layer" or "neuron".</summary>
    public required string Method { get; init; }

    /// <summary>The sparsity that was asked for, 0 to 1.</summary>
    public required double TargetSparsity { get; init; }

    /// <summary>SHA-256 of the calibration text; "" where there was none.</summary>
    public string TextSha256 { get; init; } = "";

    /// <summary>Number of tokens of calibration text.</summary>
    public long TextTokens { get; init; }

    /// <summary>The version of the tool that made the file.</summary>
    public string ToolVersion { get; init; } = "";

    /// <summary>The layers, in the model's order.</summary>
    public required IReadOnlyList<LayerThresholds> Layers { get; init; }

    /// <summary>One threshold for every layer: for tests, and for dense models (0).</summary>
    /// <param name="report">What <see cref="ModelRewriter.Inspect"/> said of the model.</param>
    /// <param name="threshold">The threshold.</param>
    public static ThresholdTable Uniform(RewriteReport report, float threshold)
    {
        ArgumentNullException.ThrowIfNull(report);
        return new ThresholdTable
        {
            ModelHash = report.ModelHash,
            Method = "layer",
            TargetSparsity = 0,
            Layers = [.. report.Layers.Select(layer => new LayerThresholds { Name = layer.Name, IntermediateSize = checked((int)layer.IntermediateSize), Thresholds = [threshold] })],
        };
    }

    /// <summary>Reads thresholds.json.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidDataException">The file is not what it must be; the message names file, layer and values.</exception>
    public static ThresholdTable Load(string path) => Parse(File.ReadAllBytes(path), path);

    // Writers that are no strict JSON put NaN and Infinity into a file as they are; the parser only names a letter.
    private static string NamedNumber(ReadOnlySpan<byte> utf8, JsonException error)
    {
        int line = 0;
        while (line < (error.LineNumber ?? 0) && utf8.IndexOf((byte)'\n') is >= 0 and int end)
        {
            utf8 = utf8[(end + 1)..];
            line++;
        }

        ReadOnlySpan<byte> rest = utf8[(int)Math.Min(error.BytePositionInLine ?? 0, utf8.Length)..];
        return rest.StartsWith("NaN"u8) ? "a number is NaN; thresholds are finite and not negative. "
            : rest.StartsWith("Infinity"u8) || rest.StartsWith("-Infinity"u8) ? "a number is infinite; thresholds are finite and not negative. "
            : "";
    }

    /// <summary>Reads the text of a thresholds.json.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="source">What messages call it.</param>
    /// <exception cref="InvalidDataException">The text is not what it must be.</exception>
    public static ThresholdTable Parse(ReadOnlySpan<byte> utf8, string source)
    {
        ThresholdTable? table;
        try
        {
            RequireVersion(utf8, source);
            table = JsonSerializer.Deserialize<ThresholdTable>(utf8, Strict);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{source}: {NamedNumber(utf8, e)}{e.Message}", e);
        }

        if (table is null)
        {
            throw new InvalidDataException($"{source}: it holds null; an object is needed.");
        }

        table.RequireSound(source);
        return table;
    }

    /// <summary>The text of thresholds.json.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Strict) + "\n";

    /// <summary>Writes thresholds.json.</summary>
    /// <param name="path">The file.</param>
    public void Save(string path) => File.WriteAllText(path, ToJson());

    /// <summary>Checks that the thresholds are those of a model.</summary>
    /// <param name="report">What <see cref="ModelRewriter.Inspect"/> said of the model.</param>
    /// <exception cref="InvalidDataException">They are another model's; the message names the layer and both values.</exception>
    public void RequireFits(RewriteReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        if (ModelHash != report.ModelHash)
        {
            throw new InvalidDataException($"The thresholds were made for the model {ModelHash}; this is {report.ModelHash}.");
        }

        for (int i = 0; i < Math.Max(Layers.Count, report.Layers.Count); i++)
        {
            if (i >= Layers.Count)
            {
                throw new InvalidDataException($"Thresholds for layer {i} '{report.Layers[i].Name}' are missing: there are {Layers.Count} layers of thresholds and {report.Layers.Count} in the model.");
            }

            if (i >= report.Layers.Count)
            {
                throw new InvalidDataException($"There are thresholds for layer {i} '{Layers[i].Name}'; the model has {report.Layers.Count} layers.");
            }

            if (Layers[i].IntermediateSize != report.Layers[i].IntermediateSize)
            {
                throw new InvalidDataException($"Layer {i} '{Layers[i].Name}': the thresholds are for {Layers[i].IntermediateSize} neurons; the model has {report.Layers[i].IntermediateSize}.");
            }
        }
    }

    /// <summary>Checks the values themselves.</summary>
    /// <param name="source">What messages call the table.</param>
    /// <exception cref="InvalidDataException">A value is out of its range.</exception>
    public void RequireSound(string source)
    {
        if (Method is not ("layer" or "neuron"))
        {
            throw new InvalidDataException($"{source}: the method is '{Method}'; it must be 'layer' or 'neuron'.");
        }

        if (!(TargetSparsity is >= 0 and <= 1))
        {
            throw new InvalidDataException($"{source}: target_sparsity is {TargetSparsity}; it must be between 0 and 1.");
        }

        for (int i = 0; i < Layers.Count; i++)
        {
            LayerThresholds layer = Layers[i] ?? throw new InvalidDataException($"{source}: layer {i} is null.");
            string name = $"{source}: layer {i} '{layer.Name}'";
            if (layer.IntermediateSize < 1)
            {
                throw new InvalidDataException($"{name}: intermediate_size is {layer.IntermediateSize}; it must be positive.");
            }

            if (layer.Thresholds.Length != 1 && layer.Thresholds.Length != layer.IntermediateSize)
            {
                throw new InvalidDataException($"{name}: there are {layer.Thresholds.Length} thresholds for {layer.IntermediateSize} neurons; it must be 1 or {layer.IntermediateSize}.");
            }

            int bad = Array.FindIndex(layer.Thresholds, threshold => !(threshold >= 0) || float.IsInfinity(threshold));
            if (bad >= 0)
            {
                throw new InvalidDataException($"{name}: threshold {bad} is {layer.Thresholds[bad]}; thresholds are finite and not negative.");
            }

            if (!(layer.Sparsity is >= 0 and <= 1) || layer.Samples < 0)
            {
                throw new InvalidDataException($"{name}: sparsity is {layer.Sparsity} of {layer.Samples} samples; it must be between 0 and 1, of 0 samples or more.");
            }
        }
    }

    // The version is looked at first, so that a file of a later schema is named as such and not by its first unknown member.
    private static void RequireVersion(ReadOnlySpan<byte> utf8, string source)
    {
        Utf8JsonReader reader = new(utf8);
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("schema_version", out JsonElement version))
        {
            throw new InvalidDataException($"{source}: it is no object with a schema_version.");
        }

        if (version.ValueKind != JsonValueKind.Number || !version.TryGetInt32(out int number) || number != CurrentSchemaVersion)
        {
            throw new InvalidDataException($"{source}: schema_version is {version.GetRawText()}; {CurrentSchemaVersion} is supported.");
        }
    }
}
