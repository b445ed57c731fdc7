// SPDX-License-Identifier: MIT
// Observations as a file: JSON, so that people can look into it, with the counts packed (CountsText) and the
// weights as base64 of little-endian float32.
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace CatsOnnx.Calibration;

/// <summary>Writes and reads the file of one shard of a calibration.</summary>
public static class ShardFile
{
    /// <summary>The value of "kind" that tells a shard from other JSON files.</summary>
    public const string Kind = "cats-calibration-shard";

    /// <summary>The version of the format.</summary>
    public const int SchemaVersion = 1;

    /// <summary>Writes observations; the file appears whole or not at all.</summary>
    /// <param name="observations">What to write.</param>
    /// <param name="path">The file; an existing one is replaced.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Save(GateObservations observations, string path)
    {
        ArgumentNullException.ThrowIfNull(observations);
        ShardContent content = new(Kind, SchemaVersion, observations);
        string sibling = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            File.WriteAllBytes(sibling, JsonSerializer.SerializeToUtf8Bytes(content, ShardJson.Default.ShardContent));
            File.Move(sibling, path, overwrite: true);
        }
        finally
        {
            File.Delete(sibling);
        }
    }

    /// <summary>Reads observations.</summary>
    /// <param name="path">A file that <see cref="Save"/> wrote.</param>
    /// <exception cref="InvalidDataException">The file is none, or of another version; the message names the file and what is wrong.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static GateObservations Load(string path)
    {
        try
        {
            ShardContent content = JsonSerializer.Deserialize(File.ReadAllBytes(path), ShardJson.Default.ShardContent)
                ?? throw new InvalidDataException("it holds null");
            return Check(content);
        }
        catch (Exception error) when (error is JsonException or FormatException or ArgumentException or OverflowException or InvalidDataException)
        {
            throw new InvalidDataException($"{path} is no calibration shard: {error.Message}", error);
        }
    }

    private static GateObservations Check(ShardContent content)
    {
        if (content.Kind != Kind || content.SchemaVersion != SchemaVersion)
        {
            throw new InvalidDataException(
                $"its kind is '{content.Kind}', version {content.SchemaVersion}; '{Kind}', version {SchemaVersion} is expected.");
        }

        GateObservations seen = content.Observations;
        if (!(seen.Sparsity is >= 0 and < 1) || seen.TextTokens < 0)
        {
            throw new InvalidDataException($"its sparsity is {seen.Sparsity}, its tokens {seen.TextTokens}.");
        }

        if (seen.Layers.Contains(null!))
        {
            throw new InvalidDataException("one of its layers is null.");
        }

        if (seen.Parts.Count == 0 || seen.Parts[0] < 1 || seen.Parts[^1] > seen.Shards
            || seen.Parts.Zip(seen.Parts.Skip(1)).Any(pair => pair.First >= pair.Second))
        {
            throw new InvalidDataException($"its parts [{string.Join(", ", seen.Parts)}] are not ascending numbers of 1 to {seen.Shards}.");
        }

        return seen with { Method = Methods.MethodCatalog.Get(seen.Method).Name };
    }
}

/// <summary>The JSON of a shard.</summary>
internal sealed record ShardContent(string Kind, int SchemaVersion, GateObservations Observations);

/// <summary>Layers with their numbers packed.</summary>
internal sealed class LayerConverter : JsonConverter<LayerObservations>
{
    public override LayerObservations Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
    {
        ShardLayer layer = JsonSerializer.Deserialize(ref reader, ShardJson.Default.ShardLayer) ?? throw new InvalidDataException("one of its layers is null.");
        return new LayerObservations(layer.Name, layer.IntermediateSize, layer.Tokens, CountsText.Read(layer.Counts), Weights(layer));
    }

    public override void Write(Utf8JsonWriter writer, LayerObservations layer, JsonSerializerOptions options) => JsonSerializer.Serialize(
        writer,
        new ShardLayer
        {
            Name = layer.Name,
            IntermediateSize = layer.IntermediateSize,
            Tokens = layer.Tokens,
            Counts = CountsText.Write(layer.Histogram),
            Weights = layer.Weights.IsEmpty ? null : Convert.ToBase64String(MemoryMarshal.AsBytes(layer.Weights.Span)),
        },
        ShardJson.Default.ShardLayer);

    private static float[] Weights(ShardLayer layer)
    {
        byte[] bytes = Convert.FromBase64String(layer.Weights ?? "");
        return bytes.Length % sizeof(float) == 0
            ? MemoryMarshal.Cast<byte, float>(bytes).ToArray()
            : throw new InvalidDataException($"layer '{layer.Name}' has {bytes.Length} bytes of weights, which are no float32 numbers.");
    }
}

/// <summary>The JSON of a layer of a shard.</summary>
internal sealed record ShardLayer
{
    public required string Name { get; init; }

    public required int IntermediateSize { get; init; }

    public required long Tokens { get; init; }

    public required string Counts { get; init; }

    public string? Weights { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    WriteIndented = true)]
[JsonSerializable(typeof(ShardContent))]
[JsonSerializable(typeof(ShardLayer))]
internal sealed partial class ShardJson : JsonSerializerContext;
