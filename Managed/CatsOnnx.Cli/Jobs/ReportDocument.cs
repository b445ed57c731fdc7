// SPDX-License-Identifier: MIT
// A rewrite report as the JSON document and as the lines that people read.
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter;

namespace CatsOnnx.Cli.Jobs;

internal static class ReportDocument
{
    /// <summary>{"mlps": [...], "fusable": n, "fused": n, "refused": n}</summary>
    public static JsonObject Of(RewriteReport report) => JsonNode.Parse(report.ToJson())!.AsObject();

    /// <summary>A line for each MLP and one for all.</summary>
    public static void Print(RewriteReport report, ToolOutput output)
    {
        int width = report.Mlps.Select(mlp => mlp.Name.Length).DefaultIfEmpty().Max();
        foreach (MlpReport mlp in report.Mlps)
        {
            string status = mlp.Status.ToString().ToLowerInvariant();
            string size = mlp.HiddenSize > 0 ? ToolOutput.Format($"{mlp.HiddenSize} x {mlp.IntermediateSize} {mlp.Dtype}") : "";
            string end = mlp.Status == MlpStatus.Refused ? $"{mlp.Reason}{(mlp.Node is { Length: > 0 } node ? $" (node {node})" : "")}" : mlp.Form ?? "";
            output.Line($"{mlp.Name.PadRight(width)}  {status,-7}  {size,-22}  {end}".TrimEnd());
        }

        output.Line($"{report.Fusable} fusable, {report.Fused} fused, {report.Refused} refused");
        foreach (string note in report.Notes)
        {
            output.Note($"note: {note}");
        }
    }

    /// <summary>One warning for each MLP that is left alone.</summary>
    public static void WarnOfRefused(RewriteReport report, ToolOutput output)
    {
        foreach (MlpReport mlp in report.Mlps.Where(mlp => mlp.Status == MlpStatus.Refused))
        {
            output.Warn($"{mlp.Name} stays dense: {mlp.Reason}{(mlp.Node is { Length: > 0 } node ? $" (node {node})" : "")}");
        }

        foreach (string note in report.Notes)
        {
            output.Note($"note: {note}");
        }
    }
}
