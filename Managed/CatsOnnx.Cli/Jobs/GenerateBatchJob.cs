// SPDX-License-Identifier: MIT
// Generates text from several prompts at once; results come in the prompts' order.
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Session;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Cli.Jobs;

internal static class GenerateBatchJob
{
    /// <param name="request">Everything but the prompts.</param>
    /// <param name="prompts">The prompts.</param>
    /// <param name="output">Where results go.</param>
    /// <param name="cancellation">Ends the run early.</param>
    public static int Run(GenerateRequest request, IReadOnlyList<string> prompts, ToolOutput output, CancellationToken cancellation)
    {
        ModelInput input = ModelInput.Open(request.Model);
        TextTokenizer tokenizer = input.Folder.LoadTokenizer(request.Tokenizer);
        using ModelSession session = Sessions.OpenCounting(input, request.Placement, out IReadOnlyList<ActiveCount> counts);
        using TokenGenerator generator = new(session, tokenizer, TokenGeneratorOptions.Counting(counts));
        BatchResult batch = generator.GenerateBatch(prompts, request.Generation, null, cancellation);
        if (batch.GroupsReason is not null)
        {
            output.Warn($"{prompts.Count} prompts ran in {batch.Groups} groups, one after the other: {batch.GroupsReason}");
        }

        for (int i = 0; i < batch.Count; i++)
        {
            output.Line(prompts[i] + batch[i].Text);
            if (request.Ids)
            {
                output.Line($"ids: {string.Join(' ', batch[i].Ids)}");
            }

            GenerationStatistics statistics = batch[i].Statistics;
            output.Note($"prompt {i + 1}: {statistics.NewTokens} tokens after {statistics.PromptTokens}, sparsity {Quantity.Percent(statistics.Sparsity)}");
        }

        output.Note($"{batch.Sum(result => result.Statistics.NewTokens)} tokens in {batch.Elapsed.TotalSeconds:0.00} s, {batch.TokensPerSecond:0.0} tokens/s with the prompts");
        output.Result(new JsonObject
        {
            ["results"] = new JsonArray([.. batch.Select((result, i) => (JsonNode)GenerateJob.ToJson(prompts[i], result))]),
            ["seconds"] = batch.Elapsed.TotalSeconds,
            ["tokens_per_second"] = batch.TokensPerSecond,
            ["groups"] = batch.Groups,
            ["groups_reason"] = batch.GroupsReason,
        });
        return ExitCode.Done;
    }
}
