// SPDX-License-Identifier: MIT
// One answer of the model: its text and what it took.
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Generation;

namespace CatsOnnx.Cli.Jobs.Chat;

/// <param name="Line">What it answers.</param>
/// <param name="Text">The answer.</param>
/// <param name="Reason">Why it ended; null where Ctrl+C ended it.</param>
/// <param name="Statistics">Times and counts; null where Ctrl+C ended it.</param>
/// <param name="ThresholdScale">The dial, where it was set.</param>
internal sealed record ChatAnswer(string Line, string Text, FinishReason? Reason, GenerationStatistics? Statistics, float? ThresholdScale)
{
    /// <summary>A line about it for people.</summary>
    public string Summary => Statistics is null
        ? "[stopped]"
        : ToolOutput.Format($"[{Statistics.NewTokens} tokens, {Statistics.TokensPerSecond:0.0} tokens/s, sparsity {Quantity.Percent(Statistics.Sparsity)}{Dial}; prompt of {Statistics.PromptTokens}, {Statistics.CachedTokens} of them kept, {Statistics.Prefill.TotalMilliseconds:0} ms{End}]");

    private string Dial => ThresholdScale is { } scale ? ToolOutput.Format($" at dial {scale:0.###}") : "";

    private string End => Reason switch
    {
        FinishReason.MaxNewTokens => "; cut at --max-new-tokens",
        FinishReason.ContextFull => "; the context is full: /clear begins a new conversation",
        _ => "",
    };

    public JsonObject ToJson() => new()
    {
        ["prompt"] = Line,
        ["text"] = Text,
        ["finish_reason"] = Reason switch
        {
            null => "interrupted",
            FinishReason.StopToken => "stop_token",
            FinishReason.StopString => "stop_string",
            FinishReason.ContextFull => "context_full",
            _ => "max_new_tokens",
        },
        ["prompt_tokens"] = Statistics?.PromptTokens,
        ["cached_tokens"] = Statistics?.CachedTokens,
        ["tokens"] = Statistics?.NewTokens,
        ["prefill_seconds"] = Statistics?.Prefill.TotalSeconds,
        ["tokens_per_second"] = Statistics?.TokensPerSecond,
        ["sparsity"] = ToolOutput.Number(Statistics?.Sparsity),
        ["threshold_scale"] = ToolOutput.Number(ThresholdScale),
    };
}
