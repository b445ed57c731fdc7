// SPDX-License-Identifier: MIT
// The figures of one model as a table for people and as JSON for programs.
using System.Globalization;
using System.Text;
using System.Text.Json;
using CatsOnnx.Evaluation;

namespace CatsOnnx.Quality;

/// <summary>One line of the table.</summary>
internal sealed record QualityRow(Variant Variant, EvaluationResult Ours, Figures Reference, Limits Limits)
{
    /// <summary>Whether every figure is within its limit.</summary>
    public bool Holds => Limits.Hold(
        new(Ours.Perplexity!.Value, Ours.NextTokenAccuracy!.Value, Ours.ChoiceAccuracy!.Value, Ours.Sparsity, Ours.Kl), Reference);
}

/// <summary>The figures of one model.</summary>
internal sealed record QualityReport(
    string Name,
    string Source,
    long EvalTokens,
    long CalibrationTokens,
    double Seconds,
    double PreparedSeconds,
    string Versions,
    IReadOnlyList<QualityRow> Rows)
{
    private static readonly JsonSerializerOptions Written = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    public string ToMarkdown()
    {
        StringBuilder text = new();
        text.AppendLine(CultureInfo.InvariantCulture, $"# Quality of {Name}");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"Model {Source}; {EvalTokens} eval tokens, thresholds from {CalibrationTokens} calibration tokens; {Versions}; {Seconds:F0} s in all, {PreparedSeconds:F0} s of them calibration and rewriting. Command: `eng/quality.sh {Name}`. Reference: PyTorch, float32 (shared/models/reference/{Name}.json). Each cell: ours / reference (difference).");
        text.AppendLine();
        text.AppendLine("| variant | perplexity | next-token accuracy, % | choice accuracy, % | sparsity, % | KL from dense | top-1 as dense, % | within limits |");
        text.AppendLine("| --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (QualityRow row in Rows)
        {
            EvaluationResult ours = row.Ours;
            Figures reference = row.Reference;
            text.AppendLine(CultureInfo.InvariantCulture, $"| {row.Variant} | {ours.Perplexity:F3} / {reference.Perplexity:F3} ({Signed((ours.Perplexity!.Value / reference.Perplexity - 1) * 100, 3)}%) | {Points(ours.NextTokenAccuracy, reference.NextTokenAccuracy)} | {Points(ours.ChoiceAccuracy, reference.ChoiceAccuracy)} | {Points(ours.Sparsity, reference.Sparsity)} | {(reference.Kl is double kl ? string.Create(CultureInfo.InvariantCulture, $"{ours.Kl:F5} / {kl:F5}") : "-")} | {ours.Top1Agreement * 100:F2} | {(row.Holds ? "yes" : "NO")} |");
        }

        text.AppendLine();
        text.AppendLine("Limits: perplexity 0.5% (1% at 90% sparsity), next-token accuracy 0.5 points, choice accuracy 1.5 points, sparsity 0.5 points (llama-3m at 90%: 1 point).");
        return text.ToString();
    }

    public string ToJson() => JsonSerializer.Serialize(new
    {
        Name,
        Source,
        EvalTokens,
        CalibrationTokens,
        Versions,
        Command = $"eng/quality.sh {Name}",
        Seconds = Math.Round(Seconds, 1),
        Variants = Rows.Select(row => new
        {
            row.Variant.Method,
            TargetSparsity = row.Variant.Sparsity,
            row.Ours,
            row.Reference,
            row.Limits,
            WithinLimits = row.Holds,
        }),
    }, Written) + "\n";

    private static string Points(double? ours, double? reference) => ours is double own && reference is double theirs
        ? string.Create(CultureInfo.InvariantCulture, $"{own * 100:F2} / {theirs * 100:F2} ({Signed((own - theirs) * 100, 2)})")
        : "-";

    private static string Signed(double value, int digits) => (Math.Round(value, digits) + 0.0).ToString($"+0.{new string('0', digits)};-0.{new string('0', digits)}", CultureInfo.InvariantCulture);
}
