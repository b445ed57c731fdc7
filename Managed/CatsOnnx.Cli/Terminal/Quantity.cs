// SPDX-License-Identifier: MIT
// Sizes, times and shares as people read them.
using System.Globalization;

namespace CatsOnnx.Cli.Terminal;

internal static class Quantity
{
    public static string Bytes(long bytes) => bytes switch
    {
        < 1000 => Text($"{bytes} B"),
        < 1_000_000 => Text($"{bytes / 1e3:0.#} kB"),
        < 1_000_000_000 => Text($"{bytes / 1e6:0.#} MB"),
        _ => Text($"{bytes / 1e9:0.##} GB"),
    };

    public static string Seconds(TimeSpan time) => time.TotalSeconds < 120 ? Text($"{time.TotalSeconds:0.0} s") : Text($"{time.TotalMinutes:0.0} min");

    public static string Percent(double? share) => share is { } value ? Text($"{value * 100:0.0}%") : "-";

    /// <summary>A share that was asked for: 50%, 62.5%.</summary>
    public static string Share(double share) => Text($"{share * 100:0.##}%");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
