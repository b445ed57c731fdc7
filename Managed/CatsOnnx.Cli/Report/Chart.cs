// SPDX-License-Identifier: MIT
// One chart of the page: a PNG for light pages, which is also a file of the folder, and one for dark pages.
using ScottPlot;

namespace CatsOnnx.Cli.Report;

/// <param name="File">The PNG's name in the folder.</param>
/// <param name="Description">What it shows, for those who do not see it.</param>
/// <param name="Width">Of the page's pixels; the image has twice as many, for sharp screens.</param>
/// <param name="Height">As <paramref name="Width"/>.</param>
/// <param name="Light">PNG.</param>
/// <param name="Dark">PNG.</param>
internal sealed record Chart(string File, string Description, int Width, int Height, byte[] Light, byte[] Dark)
{
    public const int Scale = 2;

    /// <summary>What to do about charts with bare axes; null where a font was found to write labels with. (Skia has one family
    /// also where it has no font: an empty one.)</summary>
    public static string? FontsMissing { get; } = SkiaSharp.SKTypeface.Default.ContainsGlyph('0')
        ? null
        : "No font was found on this machine: the charts have no labels; the tables have every number. On Debian and Ubuntu: apt-get install fonts-dejavu-core";

    public static Chart Make(string file, string description, int width, int height, Func<ChartTheme, Plot> draw) =>
        new(file, description, width, height, Png(draw(ChartTheme.Light), width, height), Png(draw(ChartTheme.Dark), width, height));

    private static byte[] Png(Plot plot, int width, int height)
    {
        using (plot)
        {
            return plot.GetImageBytes(width * Scale, height * Scale, ImageFormat.Png);
        }
    }
}
