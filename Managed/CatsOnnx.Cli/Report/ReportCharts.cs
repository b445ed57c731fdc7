// SPDX-License-Identifier: MIT
// The charts of a report: two that compare all models, and each model's layers and gates.
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter.Thresholds;

namespace CatsOnnx.Cli.Report;

internal sealed record ReportCharts(Chart? Quality, Chart? Speed, IReadOnlyList<ModelCharts> Models)
{
    public IEnumerable<Chart> All => new[] { Quality, Speed }.OfType<Chart>().Concat(Models.SelectMany(model => model.All));

    public static ReportCharts Of(IReadOnlyList<ModelFindings> models)
    {
        ChartSeries[] quality = [.. Series(models, model => [.. model.Quality.Where(point => point.Perplexity is { } value && double.IsFinite(value)).Select(point => (100 * point.Sparsity, point.Perplexity!.Value))])];
        ChartSeries[] speed = [.. models.Where(model => model.Speed.Count > 0).SelectMany(model => SpeedOf(model, models.Count > 1 ? model.Name + ": " : ""))];
        return new ReportCharts(
            quality.Length == 0 ? null : LineChart.OverSparsity("perplexity.png", "Perplexity against sparsity", "perplexity", quality, fromZero: false),
            speed.Length == 0 ? null : LineChart.OverSparsity("speed.png", "Speed against sparsity", "tokens per second", speed, fromZero: true),
            [.. models.Select(ModelCharts.Of)]);
    }

    private static ChartSeries[] SpeedOf(ModelFindings model, string name) =>
    [
        new(name + "sparse", [.. model.Speed.Select(point => (100 * (point.Sparsity ?? 0), point.TokensPerSecond))]),
        new(name + (model.Rewritten ? "scale 0" : "dense beside it"), [.. model.Speed.Select(point => (100 * (point.Sparsity ?? 0), point.Baseline))]),
    ];

    // The legend is worth its place only where there are several models.
    private static IEnumerable<ChartSeries> Series(IReadOnlyList<ModelFindings> models, Func<ModelFindings, (double X, double Y)[]> points) =>
        models.Select(model => new ChartSeries(models.Count > 1 ? model.Name : "", [.. points(model).OrderBy(point => point.X)])).Where(series => series.Points.Count > 0);
}

/// <summary>One model's charts.</summary>
internal sealed record ModelCharts(Chart? Layers, Chart? Thresholds, IReadOnlyList<Chart> Gates)
{
    public IEnumerable<Chart> All => new[] { Layers, Thresholds }.OfType<Chart>().Concat(Gates);

    public static ModelCharts Of(ModelFindings model) => new(
        LayersOf(model),
        model.Thresholds is { } table ? ThresholdsOf(model.Name, table) : null,
        [.. model.Gates.Select((layer, index) => GateChart.Make(
            FormattableString.Invariant($"{model.Name}-gates-{index:00}.png"), FormattableString.Invariant($"layer {index}"), layer, model.Method == "neuron"))]);

    private static Chart? LayersOf(ModelFindings model)
    {
        ChartSeries[] measured = [.. model.Quality.Where(point => point.Layers.Count > 0).Select(point => Series(point.Label, point.Layers))];
        ChartSeries[] series = measured.Length > 0 ? measured
            : model.Thresholds is { } table && table.Layers.Any(layer => layer.Samples > 0) ? [Series("calibrated", table.Layers.Select(layer => layer.Sparsity))]
            : [];
        return series.Length == 0 ? null
            : LineChart.OverLayers($"{model.Name}-layers.png", $"{model.Name}: sparsity of each layer", "neurons skipped, %", series, percent: true);
    }

    private static ChartSeries Series(string name, IEnumerable<double> shares) => new(name, [.. shares.Select((share, layer) => ((double)layer, 100 * share))]);

    private static Chart? ThresholdsOf(string name, ThresholdTable table) => table.Layers.Count == 0 ? null : LineChart.OverLayers(
        $"{name}-thresholds.png",
        table.Method == "layer" ? $"{name}: threshold of each layer" : $"{name}: median threshold of each layer's neurons",
        "threshold",
        [new ChartSeries("", [.. table.Layers.Select((layer, index) => ((double)index, Median(layer)))])],
        percent: false);

    /// <summary>A layer's threshold, or the median of its neurons'.</summary>
    public static double Median(LayerThresholds layer) => Evaluation.Speed.PairedTiming.Quantile([.. layer.Thresholds.Select(value => (double)value)], .5);
}
