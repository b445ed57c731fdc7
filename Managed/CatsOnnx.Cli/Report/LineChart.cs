// SPDX-License-Identifier: MIT
// Points joined by lines: perplexity, speed and layers against something.
using ScottPlot;
using ScottPlot.TickGenerators;

namespace CatsOnnx.Cli.Report;

/// <param name="Name">In the legend; "" for none.</param>
/// <param name="Points">Left to right.</param>
internal sealed record ChartSeries(string Name, IReadOnlyList<(double X, double Y)> Points);

internal static class LineChart
{
    private const int Width = 880;
    private const int Height = 340;

    /// <summary>y over a share of skipped neurons.</summary>
    public static Chart OverSparsity(string file, string title, string y, IReadOnlyList<ChartSeries> series, bool fromZero) =>
        Chart.Make(file, $"{title}. {Words(series)}", Width, Height, theme =>
        {
            Plot plot = Draw(theme, title, "neurons skipped, %", y, series);
            double right = series.SelectMany(line => line.Points).Max(point => point.X);
            plot.Axes.SetLimitsX(-2, Math.Max(10, right + 4));
            if (fromZero)
            {
                plot.Axes.SetLimitsY(0, series.SelectMany(line => line.Points).Max(point => point.Y) * 1.15);
            }

            return plot;
        });

    /// <summary>Shares in percent of each layer.</summary>
    public static Chart OverLayers(string file, string title, string y, IReadOnlyList<ChartSeries> series, bool percent) =>
        Chart.Make(file, $"{title}. {Words(series)}", Width, Height, theme =>
        {
            Plot plot = Draw(theme, title, "layer", y, series);
            int layers = series.Max(line => line.Points.Count);
            int step = Math.Max(1, (layers + 15) / 16);
            NumericManual ticks = new();
            for (int layer = 0; layer < layers; layer += step)
            {
                ticks.AddMajor(layer, Text($"{layer}"));
            }

            plot.Axes.Bottom.TickGenerator = ticks;
            plot.Axes.SetLimitsX(-.3, layers - .7);
            double highest = series.SelectMany(line => line.Points).Max(point => point.Y);
            plot.Axes.SetLimitsY(0, percent ? 103 : highest > 0 ? highest * 1.15 : 1);
            return plot;
        });

    private static Plot Draw(ChartTheme theme, string title, string x, string y, IReadOnlyList<ChartSeries> series)
    {
        Plot plot = theme.NewPlot(title, x, y);
        for (int index = 0; index < series.Count; index++)
        {
            ScottPlot.Plottables.Scatter line = plot.Add.Scatter(
                series[index].Points.Select(point => point.X).ToArray(), series[index].Points.Select(point => point.Y).ToArray(), theme.Of(index));
            line.LineWidth = 2;
            line.MarkerSize = 8;
            line.MarkerShape = index % 2 == 0 ? MarkerShape.FilledCircle : MarkerShape.FilledDiamond;
            line.LegendText = series[index].Name;
        }

        if (series.Any(line => line.Name.Length > 0))
        {
            plot.ShowLegend(Edge.Right);
        }

        return plot;
    }

    private static string Words(IReadOnlyList<ChartSeries> series) => string.Join("; ", series.Select(line =>
        $"{(line.Name.Length > 0 ? line.Name + ": " : "")}{string.Join(", ", line.Points.Take(64).Select(point => Text($"{point.Y:0.##} at {point.X:0.##}")))}"));

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
