// SPDX-License-Identifier: MIT
// A model's part of the page: what was rewritten and why not, the sparsity of each layer, its gates with the thresholds.
using System.Globalization;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Thresholds;

namespace CatsOnnx.Cli.Report;

internal static class ModelPage
{
    public static void Write(PageWriter page, CommandText commands, ModelFindings model, ModelCharts charts)
    {
        page.Raw($"<section id=\"model-{PageWriter.Encode(model.Name)}\">").Element("h2", model.Name);
        page.Raw($"<p class=\"soft\"><code>{PageWriter.Encode(model.Path)}</code></p>");
        Mlps(page, model);
        Layers(page, model, charts);
        Thresholds(page, model, charts);
        Gates(page, commands, model, charts);
        page.Raw("</section>");
    }

    private static void Mlps(PageWriter page, ModelFindings model)
    {
        RewriteReport report = model.Report;
        page.Element("h3", model.Rewritten ? "What was rewritten" : "What can be rewritten");
        page.Paragraph(string.Create(CultureInfo.InvariantCulture, $"{(model.Rewritten ? $"{report.Fused} MLPs are sparse" : $"{report.Fusable} MLPs can be made sparse")}, {report.Refused} stay dense{(report.Mlps.Count == 0 ? ": no gated MLP was found" : "")}."));
        if (report.Mlps.Count > 0)
        {
            page.Table(
                ["MLP", "status", "hidden x neurons", "type", "form, or why not"],
                report.Mlps.Select(mlp => (string[])
                [
                    mlp.Name, mlp.Status.ToString().ToLowerInvariant(),
                    mlp.HiddenSize > 0 ? string.Create(CultureInfo.InvariantCulture, $"{mlp.HiddenSize} x {mlp.IntermediateSize}") : "-",
                    mlp.Dtype ?? "-",
                    mlp.Status == MlpStatus.Refused ? $"{mlp.Reason}{(mlp.Node is { Length: > 0 } node ? $" (node {node})" : "")}" : mlp.Form ?? "",
                ]),
                2,
                3);
        }

        foreach (string note in report.Notes)
        {
            page.Paragraph(note, "soft");
        }

        page.Commands([CommandText.Inspect(model.Path)]);
    }

    private static void Layers(PageWriter page, ModelFindings model, ModelCharts charts)
    {
        page.Element("h3", "Sparsity of each layer");
        if (charts.Layers is { } chart)
        {
            page.Figure(chart);
        }

        QualityPoint[] points = [.. model.Quality.Where(point => point.Layers.Count > 0)];
        if (points.Length > 0)
        {
            page.Table(
                ["layer", .. points.Select(point => point.Label)],
                Enumerable.Range(0, points[0].Layers.Count).Select(layer => (string[])
                    [layer.ToString(CultureInfo.InvariantCulture), .. points.Select(point => Quantity.Percent(point.Layers[layer]))]),
                1,
                points.Length + 1);
            page.Commands(points.Select(point => point.Command));
        }
        else if (charts.Layers is not null)
        {
            page.Paragraph("As thresholds.json has it: measured when the thresholds were made, not now.", "soft");
        }

        Missing(page, model, ReportSection.Layers);
    }

    private static void Thresholds(PageWriter page, ModelFindings model, ModelCharts charts)
    {
        if (model.Thresholds is not { } table)
        {
            return;
        }

        page.Element("h3", "Thresholds in the model");
        page.Paragraph(string.Create(CultureInfo.InvariantCulture, $"By {table.Method}, for a target of {Quantity.Share(table.TargetSparsity)}, calibrated on {table.TextTokens} tokens{(table.TextSha256.Length > 0 ? $" (text {table.TextSha256[..Math.Min(12, table.TextSha256.Length)]})" : "")}."), "soft");
        if (charts.Thresholds is { } chart)
        {
            page.Figure(chart);
        }

        page.Table(
            ["layer", "neurons", table.Method == "layer" ? "threshold" : "median threshold", "skipped in calibration"],
            table.Layers.Select((layer, index) => (string[])
            [
                index.ToString(CultureInfo.InvariantCulture), layer.IntermediateSize.ToString(CultureInfo.InvariantCulture), Number(ModelCharts.Median(layer)),
                layer.Samples > 0 ? Quantity.Percent(layer.Sparsity) : "-",
            ]),
            1,
            4);
        if (model.ThresholdsFile is { } file)
        {
            page.Commands([CommandText.Show(file)]);
        }
        else
        {
            page.Paragraph("Read from the initializers cats.threshold.N of the graph; there is no thresholds.json of this model beside it.", "soft");
        }
    }

    private static void Gates(PageWriter page, CommandText commands, ModelFindings model, ModelCharts charts)
    {
        page.Element("h3", "Gate activations and thresholds");
        if (model.Gates.Count > 0)
        {
            page.Paragraph(
                "How large the gate activations of each layer were on the text, on a logarithmic axis. What lies left of a line is skipped at that setting: its rows of up and down are not read."
                + (model.Method == "neuron" ? " Activations are weighed: a neuron whose up is large on average keeps smaller ones." : ""),
                "soft");
            page.Raw("<div class=\"gates\">");
            foreach (Chart chart in charts.Gates)
            {
                page.Figure(chart);
            }

            page.Raw("</div>");
            page.Table(
                ["layer", "MLP", .. model.Gates[0].Cuts.Select(cut => $"{cut.Label}: threshold, below")],
                model.Gates.Select((layer, index) => (string[])
                [
                    index.ToString(CultureInfo.InvariantCulture), layer.Name,
                    .. model.Gates[0].Cuts.Select(cut => layer.Cuts.FirstOrDefault(own => own.Label == cut.Label) is { } own ? $"{Number(own.Value)}, {Quantity.Percent(own.Below)}" : "-"),
                ]),
                2,
                2 + model.Gates[0].Cuts.Count);
            page.Commands(model.Gates[0].Cuts.Count == 0 || model.Rewritten
                ? [commands.Calibrate(model.Path, model.Thresholds?.TargetSparsity ?? .5, model.Method)]
                : commands.CalibrateAll(model.Path, model.Method));
        }

        Missing(page, model, ReportSection.Gates);
    }

    private static void Missing(PageWriter page, ModelFindings model, ReportSection section)
    {
        if (model.Missing.TryGetValue(section, out string? why))
        {
            page.Paragraph(why, "missing");
        }
    }

    private static string Number(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);
}
