// SPDX-License-Identifier: MIT
// How much memory a session may still take on this machine, also inside a container.
using System.Globalization;

namespace CatsOnnx.Cli.Jobs;

internal static class FreeMemory
{
    /// <summary>Bytes that can be allocated without swapping: the system's figure, capped by a container's limit.</summary>
    public static long Bytes()
    {
        GCMemoryInfo info = GC.GetGCMemoryInfo(GCKind.Any);
        long limit = info.TotalAvailableMemoryBytes - Environment.WorkingSet;
        return Math.Max(0, Math.Min(MemAvailable() ?? limit, limit));
    }

    private static long? MemAvailable()
    {
        const string Source = "/proc/meminfo";
        if (!File.Exists(Source))
        {
            return null;
        }

        // MemAvailable:   12345678 kB
        string? line = File.ReadLines(Source).FirstOrDefault(text => text.StartsWith("MemAvailable:", StringComparison.Ordinal));
        string? kilobytes = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries).ElementAtOrDefault(1);
        return long.TryParse(kilobytes, CultureInfo.InvariantCulture, out long value) ? value * 1024 : null;
    }
}
