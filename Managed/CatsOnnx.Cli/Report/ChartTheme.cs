// SPDX-License-Identifier: MIT
// The colours of a chart, for a light page and for a dark one.
using ScottPlot;
using SkiaSharp;

namespace CatsOnnx.Cli.Report;

internal sealed record ChartTheme(Color Background, Color Text, Color Grid, Color Fill, Color Cut, Color[] Series)
{
    public static ChartTheme Light { get; } = new(
        Hex("#ffffff"), Hex("#1f2328"), Hex("#e4e7eb"), Hex("#a8c8f0"), Hex("#b42318"), [.. Hexes("#2463b8", "#c2570c", "#167a55", "#7a3fc0", "#a8324e", "#4d5a68")]);

    public static ChartTheme Dark { get; } = new(
        Hex("#161b22"), Hex("#d5dbe3"), Hex("#2b323c"), Hex("#2f5f9e"), Hex("#ff9b8a"), [.. Hexes("#6fb1ff", "#ffa95c", "#5fd39b", "#c9a2ff", "#ff8fa8", "#aab4c0")]);

    // ScottPlot's own choice is whatever the system calls its default, often a serif.
    private static readonly string? s_font = new[] { "Noto Sans", "Open Sans", "DejaVu Sans", "Liberation Sans", "Arial", "Segoe UI" }
        .FirstOrDefault(name => SKFontManager.Default.FontFamilies.Contains(name));

    public Color Of(int series) => Series[series % Series.Length];

    /// <summary>A plot in these colours, with labels.</summary>
    public Plot NewPlot(string title, string x, string y)
    {
        Plot plot = new() { ScaleFactor = Chart.Scale };
        plot.FigureBackground.Color = Background;
        plot.DataBackground.Color = Background;
        plot.Axes.Color(Text);
        plot.Axes.Right.FrameLineStyle.Width = 0;
        plot.Axes.Top.FrameLineStyle.Width = 0;
        plot.Grid.MajorLineColor = Grid;
        plot.Title(title, size: 14);
        plot.Axes.Title.Label.ForeColor = Text;
        plot.XLabel(x, size: 12);
        plot.YLabel(y, size: 12);
        plot.Axes.Bottom.Label.Bold = false;
        plot.Axes.Left.Label.Bold = false;
        if (s_font is not null)
        {
            plot.Font.Set(s_font);
        }

        plot.Legend.BackgroundColor = Background;
        plot.Legend.FontColor = Text;
        plot.Legend.OutlineColor = Grid;
        plot.Legend.ShadowColor = Colors.Transparent;
        return plot;
    }

    private static Color Hex(string text) => Color.FromHex(text);

    private static IEnumerable<Color> Hexes(params string[] texts) => texts.Select(Hex);
}
