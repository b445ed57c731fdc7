// SPDX-License-Identifier: MIT
// How large the processor's last cache is: a model that fits into it gains nothing from reading less memory.
using System.Globalization;

namespace CatsOnnx.Cli.Jobs;

internal static class ProcessorCache
{
    /// <summary>Bytes of the largest cache of the first core; null where the system does not say.</summary>
    public static long? Bytes()
    {
        const string Folder = "/sys/devices/system/cpu/cpu0/cache";
        if (!Directory.Exists(Folder))
        {
            return null;
        }

        // index0 to index3 hold a file "size" with 32K, 512K, 32768K
        long largest = 0;
        foreach (string cache in Directory.GetDirectories(Folder, "index*"))
        {
            string file = Path.Combine(cache, "size");
            string text = File.Exists(file) ? File.ReadAllText(file).Trim() : "";
            long unit = text.EndsWith('K') ? 1024 : text.EndsWith('M') ? 1024 * 1024 : 1;
            if (long.TryParse(text.TrimEnd('K', 'M'), CultureInfo.InvariantCulture, out long size))
            {
                largest = Math.Max(largest, size * unit);
            }
        }

        return largest > 0 ? largest : null;
    }
}
