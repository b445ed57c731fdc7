// SPDX-License-Identifier: MIT
// What is sent to /chat and /chat/stream. Unknown names are refused, so that a misspelt option does not fall silent.
using System.Text.Json.Serialization;
using Microsoft.Extensions.AI;

[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record ChatRequest
{
    public required IReadOnlyList<Message> Messages { get; init; }

    public int? MaxOutputTokens { get; init; }

    public float? Temperature { get; init; }

    public float? TopP { get; init; }

    public int? TopK { get; init; }

    public long? Seed { get; init; }

    /// <summary>Multiplies the thresholds of a rewritten model: 0 is dense.</summary>
    public float? ThresholdScale { get; init; }

    public IEnumerable<ChatMessage> ToMessages() => Messages.Select(message => new ChatMessage(new ChatRole(message.Role), message.Content));

    public ChatOptions ToOptions() => new()
    {
        MaxOutputTokens = MaxOutputTokens,
        Temperature = Temperature,
        TopP = TopP,
        TopK = TopK,
        Seed = Seed,
        AdditionalProperties = ThresholdScale is { } scale ? new() { ["cats.threshold_scale"] = scale } : null,
    };

    [JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
    internal sealed record Message(string Role, string Content);
}
