// SPDX-License-Identifier: MIT
// The entries that a rewritten model carries in its metadata: what made it, from what, and the way back.
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Thresholds;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Reads and writes the entries; their keys begin with "cats.".</summary>
internal static class RewriteMetadata
{
    /// <summary>The undo record, base64.</summary>
    public const string Original = "cats.original";

    /// <summary>"fused" or "unfused".</summary>
    public const string Form = "cats.form";

    /// <summary>The source model's fingerprint.</summary>
    public const string Source = "cats.source";

    /// <summary>SHA-256 of the thresholds.</summary>
    public const string Thresholds = "cats.thresholds_sha256";

    /// <summary>"layer" or "neuron".</summary>
    public const string Method = "cats.method";

    /// <summary>The sparsity that was asked for.</summary>
    public const string TargetSparsity = "cats.target_sparsity";

    /// <summary>SHA-256 of the calibration text.</summary>
    public const string TextSha256 = "cats.calibration_text_sha256";

    /// <summary>Tokens of the calibration text.</summary>
    public const string TextTokens = "cats.calibration_tokens";

    private const string Prefix = "cats.";
    private const string Mlps = "cats.mlps";
    private const string Layers = "cats.layers";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>The version of this tool.</summary>
    public static string ToolVersion { get; } = typeof(RewriteMetadata).Assembly.GetName().Version?.ToString(3) ?? "0";

    /// <summary>An entry, or null.</summary>
    /// <param name="model">The model.</param>
    /// <param name="key">Its key.</param>
    public static string? Get(ModelProto model, string key) => model.MetadataProps.FirstOrDefault(entry => entry.Key == key)?.Value;

    /// <summary>Sets an entry.</summary>
    /// <param name="model">The model.</param>
    /// <param name="key">Its key.</param>
    /// <param name="value">Its value.</param>
    public static void Set(ModelProto model, string key, string value)
    {
        StringStringEntryProto? entry = model.MetadataProps.FirstOrDefault(entry => entry.Key == key);
        if (entry is null)
        {
            model.MetadataProps.Add(new StringStringEntryProto { Key = key, Value = value });
        }
        else
        {
            entry.Value = value;
        }
    }

    /// <summary>Writes where thresholds come from.</summary>
    /// <param name="model">The model.</param>
    /// <param name="table">The thresholds.</param>
    /// <param name="libraryVersion">The operator library's version.</param>
    public static void SetThresholds(ModelProto model, ThresholdTable table, string libraryVersion)
    {
        Set(model, "cats.tool_version", ToolVersion);
        Set(model, "cats.library_version", libraryVersion);
        Set(model, TextSha256, table.TextSha256);
        Set(model, TextTokens, table.TextTokens.ToString(CultureInfo.InvariantCulture));
        Set(model, Method, table.Method);
        Set(model, TargetSparsity, table.TargetSparsity.ToString("R", CultureInfo.InvariantCulture));
        double achieved = table.Layers.Count == 0 ? 0 : table.Layers.Average(layer => layer.Sparsity);
        Set(model, "cats.achieved_sparsity", achieved.ToString("R", CultureInfo.InvariantCulture));
        Set(model, Thresholds, HashOf(table));
    }

    /// <summary>Writes what was found.</summary>
    /// <param name="model">The model.</param>
    /// <param name="report">The report.</param>
    public static void SetReport(ModelProto model, RewriteReport report)
    {
        Set(model, Source, report.ModelHash);
        Set(model, Mlps, JsonSerializer.Serialize(report.Mlps, Json));
        Set(model, Layers, JsonSerializer.Serialize(report.Layers, Json));
    }

    /// <summary>What was found when the model was rewritten; null for a model that was not.</summary>
    /// <param name="model">The model.</param>
    /// <exception cref="InvalidDataException">The entries are damaged.</exception>
    public static RewriteReport? Report(ModelProto model)
    {
        if (Get(model, Original) is null || Get(model, Mlps) is not { } mlps || Get(model, Layers) is not { } layers)
        {
            return null;
        }

        try
        {
            return new RewriteReport
            {
                Mlps = JsonSerializer.Deserialize<MlpReport[]>(mlps, Json) ?? [],
                Layers = JsonSerializer.Deserialize<LayerShape[]>(layers, Json) ?? [],
                ModelHash = Get(model, Source) ?? "",
            };
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"The metadata of the rewritten model is damaged: {e.Message}", e);
        }
    }

    /// <summary>Removes every entry.</summary>
    /// <param name="model">The model.</param>
    public static void Clear(ModelProto model)
    {
        List<StringStringEntryProto> kept = [.. model.MetadataProps.Where(entry => !entry.Key.StartsWith(Prefix, StringComparison.Ordinal))];
        model.MetadataProps.Clear();
        model.MetadataProps.AddRange(kept);
    }

    /// <summary>SHA-256 of the whole table, so that a change of provenance is a change.</summary>
    /// <param name="table">The thresholds.</param>
    public static string HashOf(ThresholdTable table) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(table.ToJson())));
}
