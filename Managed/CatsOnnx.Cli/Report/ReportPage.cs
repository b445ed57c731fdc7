// SPDX-License-Identifier: MIT
// The page: what was measured, first for all models side by side, then model by model; every number with its command.
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Report;

internal static class ReportPage
{
    public static string Make(ReportRequest request, IReadOnlyList<ModelFindings> models, ReportCharts charts)
    {
        CommandText commands = new(request);
        PageWriter page = new();
        page.Raw("<!DOCTYPE html>").Raw("<html lang=\"en\"><head><meta charset=\"utf-8\" /><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />");
        page.Element("title", $"Sparsity of {string.Join(", ", models.Select(model => model.Name))}");
        page.Raw($"<style>{PageStyle.Css}</style></head><body><main>");
        page.Element("h1", $"Sparsity of {string.Join(", ", models.Select(model => model.Name))}");
        page.Paragraph(Made(request, models), "soft");
        page.Raw($"<pre><code>{PageWriter.Encode(commands.Report())}</code></pre>");
        if (charts.All.Any() && Chart.FontsMissing is { } remedy)
        {
            page.Paragraph(remedy, "missing");
        }

        Quality(page, request, models, charts);
        Speed(page, request, models, charts);
        foreach ((ModelFindings model, ModelCharts own) in models.Zip(charts.Models))
        {
            ModelPage.Write(page, commands, model, own);
        }

        return page.Raw("</main></body></html>").ToString();
    }

    private static string Made(ReportRequest request, IReadOnlyList<ModelFindings> models)
    {
        string device = request.Placement.Device.IsCpu ? FormattableString.Invariant($"the CPU ({Environment.ProcessorCount} cores)") : $"{request.Placement.Device} ({request.Placement.Device.Name()})";
        string text = request.Texts.Count == 0 ? "no text" : FormattableString.Invariant($"{models[0].Tokens} tokens of {string.Join(", ", request.Texts)}");
        string version = typeof(ReportPage).Assembly.GetName().Version?.ToString(3) ?? "";
        return $"Measured on {device} with {text}; cats {version}, ONNX Runtime {Microsoft.ML.OnnxRuntime.OrtEnv.Instance().GetVersionString()}, {DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm", System.Globalization.CultureInfo.InvariantCulture)} UTC, by";
    }

    private static void Quality(PageWriter page, ReportRequest request, IReadOnlyList<ModelFindings> models, ReportCharts charts)
    {
        page.Raw("<section id=\"perplexity\">").Element("h2", "Perplexity against sparsity");
        if (charts.Quality is { } chart)
        {
            page.Figure(chart, "Lower is better. Each point is the model at one setting; to the right more neurons are skipped.");
        }

        if (models.Any(model => model.Quality.Count > 0))
        {
            page.Table(
                ["model", "setting", "neurons skipped", "perplexity", "times the first", "next-token accuracy"],
                models.SelectMany(model => model.Quality.Select(point => (string[])
                [
                    model.Name, point.Label, Quantity.Percent(point.Sparsity), Number(point.Perplexity, "0.000"),
                    Number(point.Perplexity / model.Quality[0].Perplexity, "0.000"), Number(point.Accuracy, "0.0000"),
                ])),
                2,
                6);
            string share = request.Texts.Count > 0 && models.Any(model => !model.Rewritten && model.Quality.Count > 1)
                ? "Thresholds of the dense models were found on this same text, which flatters them a little: for a figure to publish, calibrate on another text (cats rewrite --text) and report on the rewritten model. "
                : "";
            page.Paragraph(share + "A scale multiplies every threshold of a rewritten model; scale 0 keeps all neurons.", "soft");
            page.Commands(models.SelectMany(model => model.Quality.Select(point => point.Command)));
        }

        Missing(page, models, ReportSection.Quality);
        page.Raw("</section>");
    }

    private static void Speed(PageWriter page, ReportRequest request, IReadOnlyList<ModelFindings> models, ReportCharts charts)
    {
        page.Raw("<section id=\"speed\">").Element("h2", "Tokens per second against sparsity");
        if (charts.Speed is { } chart)
        {
            page.Figure(chart, "Higher is better. One sequence, decoded token by token.");
        }

        if (models.Any(model => model.Speed.Count > 0))
        {
            page.Table(
                ["model", "setting", "neurons skipped", "tokens per second", "dense beside it", "times dense", "quartiles"],
                models.SelectMany(model => model.Speed.Select(point => (string[])
                [
                    model.Name, point.Label, Quantity.Percent(point.Sparsity), Number(point.TokensPerSecond, "0.0"), Number(point.Baseline, "0.0"), Number(point.Ratio, "0.00"),
                    $"{Number(point.Quartiles.Lower, "0.00")} to {Number(point.Quartiles.Upper, "0.00")}",
                ])),
                2,
                7);
            string random = models.Any(model => !model.Rewritten && model.Speed.Count > 0 && model.Gates.Count == 0)
                ? "Without a text the thresholds of dense models are those of random tokens. "
                : "";
            string other = models.Any(model => !model.Rewritten && model.Gates.Count > 0 && (model.Method != "layer" || request.MaxTokens is not null))
                ? " cats bench calibrates by layer on the whole text, so that its sparsities differ a little from these."
                : "";
            string ways = models.Any(model => model.Rewritten)
                ? " cats generate shows the speed of one scale of a rewritten model alone."
                : "";
            page.Paragraph(FormattableString.Invariant($"{random}Medians of {request.Steps} steps after {request.Context} tokens of random context; dense and sparse took turns step by step, so that what else this machine did met both; times dense is the median of the pairs, with their quartiles, and for a rewritten model dense is scale 0. A small model fits the processor's cache and gains little or nothing: what CATS saves is reading weights from memory.{other}{ways}"), "soft");
            page.Commands(models.SelectMany(model => model.Speed.Select(point => point.Command)));
        }

        Missing(page, models, ReportSection.Speed);
        page.Raw("</section>");
    }

    private static void Missing(PageWriter page, IReadOnlyList<ModelFindings> models, ReportSection section)
    {
        foreach (ModelFindings model in models.Where(model => model.Missing.ContainsKey(section)))
        {
            page.Paragraph($"{model.Name}: {model.Missing[section]}", "missing");
        }
    }

    private static string Number(double? value, string format) => value is { } number ? number.ToString(format, System.Globalization.CultureInfo.InvariantCulture) : "-";
}
