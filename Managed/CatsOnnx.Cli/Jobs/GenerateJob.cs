// SPDX-License-Identifier: MIT
// Generates text from a prompt and says how fast it was and how sparse.
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Session;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Cli.Jobs;

internal sealed record GenerateRequest
{
    public required string Model { get; init; }

    public required string Prompt { get; init; }

    /// <summary>Tokens, scales, probes.</summary>
    public required GenerationOptions Generation { get; init; }

    public bool Ids { get; init; }

    public string? Tokenizer { get; init; }

    public Placement Placement { get; init; } = Placement.Cpu;
}

internal static class GenerateJob
{
    public static int Run(GenerateRequest request, ToolOutput output, CancellationToken cancellation)
    {
        ModelInput input = ModelInput.Open(request.Model);
        TextTokenizer tokenizer = input.Folder.LoadTokenizer(request.Tokenizer);
        string prompt = request.Prompt; // shown with the first piece, when the model runs
        GenerationResult result = Generate(
            input,
            tokenizer,
            request,
            piece =>
            {
                output.Piece(prompt + piece);
                prompt = "";
            },
            cancellation);
        GenerationStatistics statistics = result.Statistics;
        output.Line();
        if (request.Ids)
        {
            output.Line($"ids: {string.Join(' ', result.Ids)}");
        }

        output.Note($"{statistics.NewTokens} tokens, {statistics.TokensPerSecond:0.0} tokens/s, prompt of {statistics.PromptTokens} in {statistics.Prefill.TotalMilliseconds:0} ms, sparsity {Quantity.Percent(statistics.Sparsity)}{ProbeReport.Text(statistics.Probes)}");
        output.Result(ToJson(request.Prompt, result));
        return ExitCode.Done;
    }

    /// <summary>A prompt's result as the tool's JSON has it.</summary>
    public static JsonObject ToJson(string prompt, GenerationResult result) => ProbeReport.AddTo(new JsonObject
    {
        ["prompt"] = prompt,
        ["text"] = result.Text,
        ["ids"] = new JsonArray([.. result.Ids.Select(id => (JsonNode)id)]),
        ["finish_reason"] = result.Reason switch
        {
            FinishReason.StopToken => "stop_token",
            FinishReason.StopString => "stop_string",
            FinishReason.ContextFull => "context_full",
            _ => "max_new_tokens",
        },
        ["prompt_tokens"] = result.Statistics.PromptTokens,
        ["tokens"] = result.Statistics.NewTokens,
        ["prefill_seconds"] = result.Statistics.Prefill.TotalSeconds,
        ["decode_seconds"] = result.Statistics.Decode.TotalSeconds,
        ["tokens_per_second"] = result.Statistics.TokensPerSecond,
        ["sparsity"] = ToolOutput.Number(result.Statistics.Sparsity),
    }, result.Statistics.Probes);

    /// <summary>Opens the model so that active neurons are counted, and generates.</summary>
    public static GenerationResult Generate(
        ModelInput input, TextTokenizer tokenizer, GenerateRequest request, Action<string> piece, CancellationToken cancellation)
    {
        using ModelSession session = Sessions.OpenCounting(input, request.Placement, out IReadOnlyList<ActiveCount> counts);
        using TokenGenerator generator = new(session, tokenizer, TokenGeneratorOptions.Counting(counts));
        return generator.Generate(request.Prompt, request.Generation, token => piece(token.Text), cancellation);
    }
}
