// SPDX-License-Identifier: MIT
// How a chat client is made.
using CatsOnnx.Generation;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Chat;

/// <summary>Options of a <see cref="CatsChatClient"/>.</summary>
public sealed record CatsChatClientOptions
{
    /// <summary>The chat template; null: the one of the model's folder.</summary>
    public ChatTemplate? ChatTemplate { get; init; }

    /// <summary>What responses call the model; null: the name of its folder.</summary>
    public string? ModelId { get; init; }

    /// <summary>What holds where a request's ChatOptions don't say otherwise. By default the next turn of a conversation runs
    /// only what is new (<see cref="GenerationOptions.ReusePrefix"/>).</summary>
    public GenerationOptions Generation { get; init; } = new() { MaxNewTokens = 1024, ReusePrefix = true };

    /// <summary>Further names that the template can ask for; see <see cref="ChatTemplateOptions.Variables"/>.</summary>
    public IReadOnlyDictionary<string, object?> TemplateVariables { get; init; } = new Dictionary<string, object?>();
}
