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
/// <param name="Dial">The scales that it was generated with, and how often it was probed.</param>
internal sealed record ChatAnswer(string Line, string Text, FinishReason? Reason, GenerationStatistics? Statistics, GenerationOptions Dial)
{
    /// <summary>A line about it for people.</summary>
    public string Summary => Statistics is null
        ? "[stopped]"
        : ToolOutput.Format($"[{Statistics.NewTokens} tokens, {Statistics.TokensPerSecond:0.0} tokens/s, sparsity {Quantity.Percent(Statistics.Sparsity)}{Scales}{ProbeReport.Text(Statistics.Probes)}; prompt of {Statistics.PromptTokens}, {Statistics.CachedTokens} of them kept, {Statistics.Prefill.TotalMilliseconds:0} ms{End}]");

    private string Scales => (Dial.ThresholdScale, Dial.PrefillThresholdScale) switch
    {
        (null, null) => "",
        (var scale, null) => ToolOutput.Format($" at dial {scale:0.###}"),
        var (scale, prefill) => ToolOutput.Format($" at dial {scale ?? 1:0.###}, prefill {prefill:0.###}"),
    };

    private string End => Reason switch
    {
        FinishReason.MaxNewTokens => "; cut at --max-new-tokens",
        FinishReason.ContextFull => "; the context is full: /clear begins a new conversation",
        _ => "",
    };

    public JsonObject ToJson() => ProbeReport.AddTo(new JsonObject
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
        ["threshold_scale"] = ToolOutput.Number(Dial.ThresholdScale),
        ["prefill_threshold_scale"] = ToolOutput.Number(Dial.PrefillThresholdScale),
        ["dense_probe_every"] = Dial.DenseProbeEvery,
    }, Statistics?.Probes);
}
