// SPDX-License-Identifier: MIT
// Measures a model on a text, alone or against another one, and holds the figures against limits.
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Evaluation;
using CatsOnnx.Text;

namespace CatsOnnx.Cli.Jobs;

internal sealed record EvalRequest
{
    public required string Model { get; init; }

    public required IReadOnlyList<string> Texts { get; init; }

    public string? Against { get; init; }

    public double? ThresholdScale { get; init; }

    public int? MaxTokens { get; init; }

    public string? Tokenizer { get; init; }

    public Placement Placement { get; init; } = Placement.Cpu;

    public double? MaxKl { get; init; }

    public double? MaxPerplexityRatio { get; init; }
}

internal static class EvalJob
{
    public static int Run(EvalRequest request, ToolOutput output, CancellationToken cancellation)
    {
        ModelInput model = ModelInput.Open(request.Model);
        ModelInput? against = request.Against is null ? null : ModelInput.Open(request.Against);
        (EvaluationResult result, EvaluationResult? other) = EvaluateBoth(model, against, request, cancellation);
        double? ratio = result.Perplexity / other?.Perplexity;
        Print(result, other, ratio, output);
        output.Result(new JsonObject
        {
            ["tokens"] = result.Tokens,
            ["perplexity"] = ToolOutput.Number(result.Perplexity),
            ["next_token_accuracy"] = ToolOutput.Number(result.NextTokenAccuracy),
            ["choice_accuracy"] = ToolOutput.Number(result.ChoiceAccuracy),
            ["sparsity"] = ToolOutput.Number(result.Sparsity),
            ["sparsity_per_layer"] = new JsonArray([.. result.SparsityPerLayer.Select(layer => ToolOutput.Number(layer))]),
            ["kl"] = ToolOutput.Number(result.Kl),
            ["top1_agreement"] = ToolOutput.Number(result.Top1Agreement),
            ["perplexity_ratio"] = ToolOutput.Number(ratio),
        });

        bool passed = Passes("KL", result.Kl, request.MaxKl, "--max-kl", output);
        passed &= Passes("perplexity ratio", ratio, request.MaxPerplexityRatio, "--max-perplexity-ratio", output);
        return passed ? ExitCode.Done : ExitCode.LimitPassed;
    }

    /// <summary>Measures one model.</summary>
    public static EvaluationResult Evaluate(ModelInput model, ModelInput? against, EvalRequest request, CancellationToken cancellation) =>
        EvaluateBoth(model, against, request, cancellation).Model;

    private static (EvaluationResult Model, EvaluationResult? Against) EvaluateBoth(
        ModelInput model, ModelInput? against, EvalRequest request, CancellationToken cancellation)
    {
        TextWindows windows = TextInput.Read(model.Folder, request.Texts, request.Tokenizer, request.MaxTokens);
        return ProgressBar.Run<(EvaluationResult, EvaluationResult?)>("evaluating", "tokens", 1, progress =>
        {
            EvaluationOptions options = new()
            {
                Against = against?.Folder,
                ThresholdScale = (float?)request.ThresholdScale,
                Progress = ProgressForwarding.ForTokens(progress),
                Session = Sessions.Options(request.Placement),
            };
            if (against is null)
            {
                return (EvaluationRun.Run(model.Folder, windows, options, cancellation), null);
            }

            if (options.ThresholdScale is null && against.Folder.ModelPath != model.Folder.ModelPath)
            {
                IReadOnlyList<EvaluationResult> both = EvaluationRun.RunAll([model.Folder, against.Folder], windows, options, cancellation);
                return (both[0], both[1]);
            }

            // The scale is for the evaluated model alone.
            EvaluationResult own = EvaluationRun.Run(model.Folder, windows, options, cancellation);
            return (own, EvaluationRun.Run(against.Folder, windows, options with { Against = null, ThresholdScale = null, Choice = false }, cancellation));
        });
    }

    private static bool Passes(string what, double? value, double? limit, string option, ToolOutput output)
    {
        // NaN passes no limit.
        if (limit is null || value <= limit)
        {
            return true;
        }

        output.Note($"limit passed: {what} is {value:0.#####}, {option} allows {limit}");
        return false;
    }

    private static void Print(EvaluationResult result, EvaluationResult? other, double? ratio, ToolOutput output)
    {
        output.Line($"tokens               {result.Tokens}");
        output.Line($"perplexity           {result.Perplexity:0.000}{(other is null ? "" : ToolOutput.Format($"   against {other.Perplexity:0.000} (x{ratio:0.0000})"))}");
        output.Line($"next-token accuracy  {result.NextTokenAccuracy:0.0000}");
        output.Line($"choice accuracy      {(result.ChoiceAccuracy is { } choice ? ToolOutput.Format($"{choice:0.0000} of {result.ChoiceItems} items") : "- (the text is too short for an item)")}");
        output.Line($"sparsity             {Quantity.Percent(result.Sparsity)}{(result.SparsityPerLayer.Count == 0 ? "" : $"   by layer: {string.Join(' ', result.SparsityPerLayer.Select(layer => Quantity.Percent(layer)))}")}");
        if (result.Kl is not null)
        {
            output.Line($"KL                   {result.Kl:0.00000}");
            output.Line($"top-1 agreement      {result.Top1Agreement:0.0000}");
        }
    }
}
