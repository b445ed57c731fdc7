// SPDX-License-Identifier: MIT
// What cats chat was asked for.
using CatsOnnx.Generation;

namespace CatsOnnx.Cli.Jobs.Chat;

internal sealed record ChatRequest
{
    public required string Model { get; init; }

    /// <summary>The conversation's first message, or null.</summary>
    public string? System { get; init; }

    public string? Tokenizer { get; init; }

    /// <summary>A file with the chat template; null: the model's own.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Whether lines and answers are one plain text, without a template.</summary>
    public bool Raw { get; init; }

    /// <summary>How each answer is generated; the threshold scale is the first one.</summary>
    public required GenerationOptions Generation { get; init; }

    public required Placement Placement { get; init; }
}
