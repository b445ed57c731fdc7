// SPDX-License-Identifier: MIT
// A layer's gate activations as a histogram over a logarithmic axis, with the thresholds as lines.
using CatsOnnx.Calibration;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace CatsOnnx.Cli.Report;

internal static class GateChart
{
    private const int Width = 430;
    private const int Height = 240;
    private const int BarsInOctave = 6; // an octave: from a value to its double
    private const int MostOctaves = 40;
    private const double LeftOut = .002; // the share of the smallest activations that the axis leaves out at most

    public static Chart Make(string file, string title, LayerGates layer, bool weighed)
    {
        string cuts = string.Join(", ", layer.Cuts.Select(cut => FormattableString.Invariant($"{cut.Label} at {cut.Value:0.####}")));
        (double[] x, double[] y) = Steps(layer.Histogram);
        return Chart.Make(file, $"Histogram of the gate activations of {title}; thresholds {cuts}.", Width, Height, theme =>
        {
            Plot plot = theme.NewPlot(title, weighed ? "|SiLU(gate)| × neuron's weight" : "|SiLU(gate)|", "% of activations");
            ScottPlot.Plottables.FillY area = plot.Add.FillY(x, new double[x.Length], y);
            area.FillColor = theme.Fill;
            area.LineWidth = 0;
            area.MarkerStyle = MarkerStyle.None;
            double top = Math.Max(y.Max(), 1e-3) * 1.3;
            for (int index = 0; index < layer.Cuts.Count; index++)
            {
                Draw(plot, layer.Cuts[index], top, index % 2, theme);
            }

            plot.Axes.Bottom.TickGenerator = Decades(x[0], x[^1]);
            plot.Axes.SetLimits(x[0], Math.Max(x[^1], Largest(layer)) + .05, 0, top);
            return plot;
        });
    }

    // Labels of neighbours stand at two heights, so that they do not run into each other.
    private static void Draw(Plot plot, Cut cut, double top, int row, ChartTheme theme)
    {
        double x = Math.Log10(cut.Value);
        ScottPlot.Plottables.LinePlot line = plot.Add.Line(x, 0, x, top * (row == 0 ? .92 : .81));
        line.LineColor = theme.Cut;
        line.LineWidth = 1.5f;
        line.MarkerSize = 0;
        ScottPlot.Plottables.Text label = plot.Add.Text(cut.Label, x, top * (row == 0 ? 1 : .9));
        label.LabelFontColor = theme.Cut;
        label.LabelFontSize = 11;
        label.LabelAlignment = Alignment.UpperCenter;
    }

    private static double Largest(LayerGates layer) => layer.Cuts.Count == 0 ? double.MinValue : Math.Log10(layer.Cuts.Max(cut => cut.Value));

    /// <summary>The outline of bars of equal width on the logarithmic axis: x as powers of ten, y in percent. The histogram's
    /// bins are equal only within a power of two, so bars take their share of them.</summary>
    private static (double[] X, double[] Y) Steps(GateHistogram histogram)
    {
        int last = GateHistogram.BinOf(float.MaxValue);
        while (last > 1 && histogram.Counts[last] == 0)
        {
            last--;
        }

        int right = (int)Math.Ceiling(BarsInOctave * Math.Log2(GateHistogram.LowerEdge(Math.Min(last + 1, GateHistogram.BinOf(float.MaxValue)))));
        double smallest = histogram.Total == 0 ? 0 : histogram.Quantile(LeftOut);
        int left = Math.Max(right - (BarsInOctave * MostOctaves), smallest > 0 ? (int)Math.Floor(BarsInOctave * Math.Log2(smallest)) : int.MinValue);
        left = Math.Min(left, right - 1);
        List<double> x = [];
        List<double> y = [];
        double below = histogram.FractionBelow(Edge(left));
        for (int bar = left; bar < right; bar++)
        {
            double next = histogram.FractionBelow(Edge(bar + 1));
            x.AddRange([Math.Log10(Edge(bar)), Math.Log10(Edge(bar + 1))]);
            y.AddRange([100 * (next - below), 100 * (next - below)]);
            below = next;
        }

        return ([.. x], [.. y]);
    }

    private static float Edge(int bar) => (float)Math.Min(Math.Pow(2, (double)bar / BarsInOctave), float.MaxValue);

    private static NumericManual Decades(double left, double right)
    {
        NumericManual ticks = new();
        int step = Math.Max(1, (int)Math.Ceiling((right - left) / 7));
        for (int power = (int)Math.Ceiling(left); power <= right; power += step)
        {
            ticks.AddMajor(power, power is >= -4 and <= 3 ? Math.Pow(10, power).ToString("0.####", System.Globalization.CultureInfo.InvariantCulture) : $"1e{power}");
        }

        return ticks;
    }
}
