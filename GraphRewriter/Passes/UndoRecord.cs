// SPDX-License-Identifier: MIT
// What a rewritten model keeps in its metadata so that its source can be restored.
using System.Text.Json;
using System.Text.Json.Serialization;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Part of a new tensor that goes back to the old one; counted in elements as StridedPiece has it, seen from the old tensor's restoration.</summary>
internal sealed record UndoPiece(
    string Scope, string Tensor, int ElementSize, long Rows, long Columns, long SourceOffset, long SourceRowStride, long SourceColumnStride,
    long DestinationOffset, long DestinationRowStride, long DestinationColumnStride);

/// <summary>A message that was removed: where it stood and its bytes; the data of a large tensor is left out and comes from pieces.</summary>
internal sealed record UndoItem(int At, string Message)
{
    /// <summary>The raw bytes of its tensor, base64; null where the message holds them.</summary>
    public string? Data { get; init; }

    /// <summary>Where the tensor's bytes come from; null where they are here.</summary>
    public IReadOnlyList<UndoPiece>? Pieces { get; init; }
}

/// <summary>The changes of one graph.</summary>
internal sealed record UndoScope(string Path)
{
    /// <summary>First outputs of nodes that were added.</summary>
    public List<string> AddedNodes { get; init; } = [];

    /// <summary>Nodes that were removed.</summary>
    public List<UndoItem> Nodes { get; init; } = [];

    /// <summary>Names of initializers that were added.</summary>
    public List<string> AddedInitializers { get; init; } = [];

    /// <summary>Initializers that were removed.</summary>
    public List<UndoItem> Initializers { get; init; } = [];

    /// <summary>Names of inputs that were added.</summary>
    public List<string> AddedInputs { get; init; } = [];

    /// <summary>Inputs that were removed.</summary>
    public List<UndoItem> Inputs { get; init; } = [];

    /// <summary>Whether nothing changed.</summary>
    [JsonIgnore]
    public bool IsEmpty => AddedNodes.Count + Nodes.Count + AddedInitializers.Count + Initializers.Count + AddedInputs.Count + Inputs.Count == 0;
}

/// <summary>All changes of a model.</summary>
internal sealed record UndoRecord
{
    /// <summary>The version that this code reads and writes.</summary>
    public const int CurrentVersion = 1;

    private static readonly JsonSerializerOptions Options = new(JsonSerializerOptions.Strict)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>Version of the record.</summary>
    public required int Version { get; init; }

    /// <summary>The source's IR version; null where it had none.</summary>
    public required long? IrVersion { get; init; }

    /// <summary>The source's operator sets, messages in base64.</summary>
    public required IReadOnlyList<string> OpsetImports { get; init; }

    /// <summary>Positions and messages of functions that were removed.</summary>
    public required IReadOnlyList<UndoItem> Functions { get; init; }

    /// <summary>The graphs that changed.</summary>
    public required IReadOnlyList<UndoScope> Scopes { get; init; }

    /// <summary>The record as base64 text.</summary>
    public string ToText() => Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(this, Options));

    /// <summary>Reads a record.</summary>
    /// <param name="text">Base64 text.</param>
    /// <exception cref="InvalidDataException">It is damaged, or of another version.</exception>
    public static UndoRecord Parse(string text)
    {
        try
        {
            UndoRecord record = JsonSerializer.Deserialize<UndoRecord>(Convert.FromBase64String(text), Options)
                ?? throw new InvalidDataException("The record of the source graph is null.");
            return record.Version == CurrentVersion
                ? record
                : throw new InvalidDataException($"The record of the source graph has version {record.Version}; {CurrentVersion} is supported.");
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new InvalidDataException($"The record of the source graph is damaged: {e.Message}", e);
        }
    }
}
