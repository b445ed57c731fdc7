// SPDX-License-Identifier: MIT
// Measures the models one after another, draws the charts, and gives the folder its name once all of it is written.
using System.Diagnostics;
using CatsOnnx.Cli.Report;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter.Output;

namespace CatsOnnx.Cli.Jobs;

internal static class ReportJob
{
    public const string PageName = "index.html";

    public static int Run(ReportRequest request, ToolOutput output, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        ModelInput[] inputs = [.. request.Models.Select(ModelInput.Open)];
        foreach (ModelInput input in inputs)
        {
            OutputFolder.RequireApart(input.Folder.Root, request.Output);
        }

        OutputFolder.RequireFree(request.Output, request.Overwrite);
        string[] names = ModelNames.Of(inputs.Select(input => input.Folder));
        using FolderTransaction transaction = FolderTransaction.Begin(
            request.Output, request.Overwrite, [.. inputs.Select(input => input.Folder.Root), .. request.Texts.Where(File.Exists)]);
        List<ModelFindings> findings = [];
        for (int index = 0; index < inputs.Length; index++)
        {
            findings.Add(ModelStudy.Of(request, request.Models[index], names[index], inputs[index], cancellation));
        }

        ReportCharts charts = ReportCharts.Of(findings);
        if (charts.All.Any() && Chart.FontsMissing is { } remedy)
        {
            output.Warn($"{remedy}");
        }

        string[] files = Write(transaction.StagingFolder, ReportPage.Make(request, findings, charts), charts, cancellation);
        transaction.Commit();
        Print(request, findings, files, Stopwatch.GetElapsedTime(start), output);
        output.Result(ReportDocumentJson.Of(Path.GetFullPath(request.Output), new CommandText(request).Report(), files, findings));
        return ExitCode.Done;
    }

    private static string[] Write(string folder, string page, ReportCharts charts, CancellationToken cancellation)
    {
        List<string> files = [PageName];
        foreach (Chart chart in charts.All)
        {
            cancellation.ThrowIfCancellationRequested();
            File.WriteAllBytes(Path.Combine(folder, chart.File), chart.Light);
            files.Add(chart.File);
        }

        File.WriteAllText(Path.Combine(folder, PageName), page);
        return [.. files];
    }

    private static void Print(ReportRequest request, List<ModelFindings> findings, string[] files, TimeSpan time, ToolOutput output)
    {
        output.Line($"{Path.Combine(request.Output, PageName)}: {findings.Count} {(findings.Count == 1 ? "model" : "models")}, {files.Length - 1} {(files.Length == 2 ? "chart" : "charts")}, {Quantity.Seconds(time)}");
        foreach (ModelFindings model in findings)
        {
            foreach (string line in model.Quality.Select(point => ToolOutput.Format($"{point.Label,-10}  sparsity {Quantity.Percent(point.Sparsity),6}  perplexity {point.Perplexity:0.000}"))
                .Concat(model.Speed.Select(point => ToolOutput.Format($"{point.Label,-10}  sparsity {Quantity.Percent(point.Sparsity),6}  {point.TokensPerSecond:0.0} tokens/s  x{point.Ratio:0.00}"))))
            {
                output.Line($"  {model.Name}  {line}");
            }

            foreach (string why in model.Missing.Values.Distinct())
            {
                output.Note($"note: {model.Name}: {why}");
            }
        }
    }
}
