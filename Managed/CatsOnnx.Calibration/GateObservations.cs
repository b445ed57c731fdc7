// SPDX-License-Identifier: MIT
// What a calibration run saw: enough to choose thresholds, and to be added to what other machines saw.
using System.Text.Json.Serialization;
using CatsOnnx.Calibration.Methods;
using CatsOnnx.GraphRewriter.Thresholds;

namespace CatsOnnx.Calibration;

/// <summary>The gate activations of a model on a text, or on one shard of it.</summary>
public sealed record GateObservations
{
    /// <summary>The method that the activations were counted for (<see cref="MethodCatalog"/>).</summary>
    public required string Method { get; init; }

    /// <summary>The sparsity asked for, 0 up to but not 1.</summary>
    public required double Sparsity { get; init; }

    /// <summary>The fingerprint of the model that was observed.</summary>
    public required string ModelHash { get; init; }

    /// <summary>SHA-256 of the text, in hexadecimal.</summary>
    public required string TextSha256 { get; init; }

    /// <summary>Tokens of the whole text that the shards share out.</summary>
    public required long TextTokens { get; init; }

    /// <summary>The version of the tool that observed.</summary>
    public required string ToolVersion { get; init; }

    /// <summary>How many shards the text was cut into; 1 where it was read in one run.</summary>
    public int Shards { get; init; } = 1;

    /// <summary>Which shards are in here, ascending, each 1 to <see cref="Shards"/>.</summary>
    public IReadOnlyList<int> Parts { get; init; } = [1];

    /// <summary>The layers, in the order of the graph.</summary>
    public required IReadOnlyList<LayerObservations> Layers { get; init; }

    /// <summary>Whether every shard of the text is in here, as thresholds need it.</summary>
    [JsonIgnore]
    public bool IsComplete => Parts.Count == Shards;

    /// <summary>Adds up shards of one run, in whatever order they come.</summary>
    /// <param name="shards">At least one; no part twice.</param>
    /// <exception cref="InvalidDataException">They are not of one run, or hold a part twice; the message names the field and both values.</exception>
    public static GateObservations Merge(IReadOnlyList<GateObservations> shards)
    {
        ArgumentNullException.ThrowIfNull(shards);
        if (shards.Count == 0)
        {
            throw new ArgumentException("There are no shards to merge.", nameof(shards));
        }

        // By part, so that the order of the files on a command line changes nothing.
        GateObservations[] ordered = [.. shards.OrderBy(shard => shard.Parts[0])];
        return ordered[1..].Aggregate(ordered[0], Add);
    }

    /// <summary>Chooses the thresholds of every layer.</summary>
    /// <param name="sparsity">The share of activations to drop, 0 up to but not 1; null takes the one that was asked for before the run.</param>
    /// <exception cref="ArgumentOutOfRangeException">The sparsity is out of its range.</exception>
    /// <exception cref="InvalidDataException">Shards are missing, or a layer's activations are no numbers.</exception>
    public ThresholdTable ToThresholds(double? sparsity = null)
    {
        double target = sparsity ?? Sparsity;
        if (!(target is >= 0 and < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(sparsity), target, $"The sparsity is 0 up to but not 1, not {target}.");
        }

        if (!IsComplete)
        {
            throw new InvalidDataException(
                $"Thresholds need all {Shards} shards; missing are {string.Join(", ", Enumerable.Range(1, Shards).Except(Parts).Select(part => $"{part}/{Shards}"))}.");
        }

        IThresholdMethod method = MethodCatalog.Get(Method);
        return new ThresholdTable
        {
            ModelHash = ModelHash,
            Method = Method,
            TargetSparsity = target,
            TextSha256 = TextSha256,
            TextTokens = TextTokens,
            ToolVersion = ToolVersion,
            Layers = [.. Layers.Select(layer => Choose(method, layer, target))],
        };
    }

    private static LayerThresholds Choose(IThresholdMethod method, LayerObservations layer, double sparsity)
    {
        if (layer.Histogram.NonFinite > 0)
        {
            throw new InvalidDataException(
                $"Layer '{layer.Name}': {layer.Histogram.NonFinite} of {layer.Histogram.Total} gate activations are infinite or not numbers.");
        }

        ChosenThresholds chosen = method.Choose(layer.Histogram, layer.Weights.Span, sparsity);
        return new LayerThresholds
        {
            Name = layer.Name,
            IntermediateSize = layer.IntermediateSize,
            Thresholds = chosen.Thresholds,
            Sparsity = chosen.Sparsity,
            Samples = layer.Histogram.Total,
        };
    }

    private static GateObservations Add(GateObservations sum, GateObservations other)
    {
        Same("method", sum.Method, other.Method);
        Same("sparsity", sum.Sparsity, other.Sparsity);
        Same("model hash", sum.ModelHash, other.ModelHash);
        Same("text SHA-256", sum.TextSha256, other.TextSha256);
        Same("number of tokens", sum.TextTokens, other.TextTokens);
        Same("number of shards", sum.Shards, other.Shards);
        Same("number of layers", sum.Layers.Count, other.Layers.Count);
        if (sum.Parts.Intersect(other.Parts).ToArray() is { Length: > 0 } twice)
        {
            throw new InvalidDataException($"Shard {twice[0]}/{sum.Shards} was given twice.");
        }

        return sum with
        {
            Parts = [.. sum.Parts.Concat(other.Parts).Order()],
            Layers = [.. sum.Layers.Zip(other.Layers, (ours, theirs) => ours.Add(theirs))],
        };
    }

    private static void Same<T>(string what, T ours, T theirs)
    {
        if (!EqualityComparer<T>.Default.Equals(ours, theirs))
        {
            throw new InvalidDataException($"Shards of different runs cannot be merged: the {what} is {ours} in one and {theirs} in another.");
        }
    }
}
