// SPDX-License-Identifier: MIT
// The thresholds that a rewritten model holds itself, where its thresholds.json is not beside it.
using System.Globalization;
using System.Runtime.InteropServices;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Thresholds;

/// <summary>Reads thresholds out of rewritten models.</summary>
public static class RewrittenThresholds
{
    /// <summary>The thresholds of a rewritten model; its layers' sparsities are not in it and are 0 of 0 samples.</summary>
    /// <param name="model">Any model.</param>
    /// <returns>Null for a model that was not rewritten.</returns>
    /// <exception cref="InvalidDataException">The model's record is damaged.</exception>
    public static ThresholdTable? Of(OnnxModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (RewriteMetadata.Report(model.Proto) is not { } report)
        {
            return null;
        }

        ThresholdTable table = new()
        {
            ModelHash = report.ModelHash,
            Method = RewriteMetadata.Get(model.Proto, RewriteMetadata.Method) ?? "layer",
            TargetSparsity = Number(model, RewriteMetadata.TargetSparsity),
            TextSha256 = RewriteMetadata.Get(model.Proto, RewriteMetadata.TextSha256) ?? "",
            TextTokens = (long)Number(model, RewriteMetadata.TextTokens),
            Layers = [.. report.Layers.Select((layer, index) => new LayerThresholds
            {
                Name = layer.Name,
                IntermediateSize = checked((int)layer.IntermediateSize),
                Thresholds = Read(model, index),
            })],
        };
        table.RequireSound("the rewritten model");
        return table;
    }

    /// <summary>Whether a table, such as that of thresholds.json, is the very one that the model was rewritten with.</summary>
    /// <param name="model">A rewritten model.</param>
    /// <param name="table">A table.</param>
    public static bool AreThoseOf(OnnxModel model, ThresholdTable table)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(table);
        return RewriteMetadata.Get(model.Proto, RewriteMetadata.Thresholds) == RewriteMetadata.HashOf(table);
    }

    private static float[] Read(OnnxModel model, int layer)
    {
        string name = AddThresholds.NameOf(layer);
        TensorProto tensor = model.Proto.Graph.Initializer.FirstOrDefault(tensor => tensor.Name == name)
            ?? throw new InvalidDataException($"The rewritten model has no initializer '{name}'.");
        return MemoryMarshal.Cast<byte, float>(model.Read(tensor)).ToArray();
    }

    private static double Number(OnnxModel model, string key) =>
        double.TryParse(RewriteMetadata.Get(model.Proto, key), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : 0;
}
