// SPDX-License-Identifier: MIT
// What was found and done, MLP by MLP: fused, or the reason and the node.
using System.Text.Json;
using System.Text.Json.Serialization;

namespace CatsOnnx.GraphRewriter;

/// <summary>What an MLP is or became.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<MlpStatus>))]
public enum MlpStatus
{
    /// <summary>It can be rewritten.</summary>
    [JsonStringEnumMemberName("fusable")]
    Fusable,

    /// <summary>It is rewritten.</summary>
    [JsonStringEnumMemberName("fused")]
    Fused,

    /// <summary>It is left alone; the reason says why.</summary>
    [JsonStringEnumMemberName("refused")]
    Refused,
}

/// <summary>One MLP of a model.</summary>
public sealed record MlpReport
{
    /// <summary>A name for people: what its nodes' names share, else its number.</summary>
    public required string Name { get; init; }

    /// <summary>What it is.</summary>
    public required MlpStatus Status { get; init; }

    /// <summary>Why it is refused; null otherwise.</summary>
    public string? Reason { get; init; }

    /// <summary>The node that decided.</summary>
    public string? Node { get; init; }

    /// <summary>Width of the model; 0 where it is not known.</summary>
    public long HiddenSize { get; init; }

    /// <summary>Number of neurons; 0 where it is not known.</summary>
    public long IntermediateSize { get; init; }

    /// <summary>float, float16 or bfloat16; null where the weights are quantized or not known.</summary>
    public string? Dtype { get; init; }

    /// <summary>The forms of its parts, or the operator that it became.</summary>
    public string? Form { get; init; }

    /// <summary>Its layer: the row of thresholds.json that it uses; MLPs with one set of weights in the branches of an If share it.</summary>
    [JsonIgnore]
    public int? Layer { get; init; }
}

/// <summary>One layer as thresholds see it.</summary>
/// <param name="Name">A name for people.</param>
/// <param name="HiddenSize">Width of the model.</param>
/// <param name="IntermediateSize">Number of neurons.</param>
public sealed record LayerShape(string Name, long HiddenSize, long IntermediateSize);

/// <summary>What was found in a model and done to it.</summary>
public sealed record RewriteReport
{
    private static readonly JsonSerializerOptions Written = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    /// <summary>Every MLP, in the order of the graphs and of their nodes.</summary>
    public required IReadOnlyList<MlpReport> Mlps { get; init; }

    /// <summary>How many can be rewritten.</summary>
    public int Fusable => Count(MlpStatus.Fusable);

    /// <summary>How many are rewritten.</summary>
    public int Fused => Count(MlpStatus.Fused);

    /// <summary>How many are left alone.</summary>
    public int Refused => Count(MlpStatus.Refused);

    /// <summary>The layers that thresholds are for, in order.</summary>
    [JsonIgnore]
    public IReadOnlyList<LayerShape> Layers { get; init; } = [];

    /// <summary>The model's fingerprint as thresholds.json records it; for a rewritten model, its source's.</summary>
    [JsonIgnore]
    public string ModelHash { get; init; } = "";

    /// <summary>Whether the graph was changed.</summary>
    [JsonIgnore]
    public bool Changed { get; init; }

    /// <summary>What a person should know beside the MLPs: inputs that were lost, functions that could not be embedded.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The report as one JSON document.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Written);

    private int Count(MlpStatus status) => Mlps.Count(mlp => mlp.Status == status);
}
