// SPDX-License-Identifier: MIT
// Histogram counts as text for a JSON file: only the bins that counted something, as base64 of
// little-endian base-128 pairs (bins skipped since the last one, count).
namespace CatsOnnx.Calibration;

/// <summary>Writes and reads the counts of a histogram compactly.</summary>
internal static class CountsText
{
    /// <summary>The text of a histogram's counts.</summary>
    public static string Write(GateHistogram histogram)
    {
        List<byte> bytes = [];
        int next = 0;
        for (int bin = 0; bin < GateHistogram.BinCount; bin++)
        {
            long count = histogram.Counts[bin];
            if (count > 0)
            {
                Append(bytes, (ulong)(bin - next));
                Append(bytes, (ulong)count);
                next = bin + 1;
            }
        }

        return Convert.ToBase64String([.. bytes]);
    }

    /// <summary>The histogram of a text.</summary>
    /// <exception cref="FormatException">The text was not written by <see cref="Write"/>.</exception>
    public static GateHistogram Read(string text)
    {
        byte[] bytes = Convert.FromBase64String(text);
        long[] counts = new long[GateHistogram.BinCount];
        ulong next = 0;
        for (int at = 0; at < bytes.Length;)
        {
            ulong skipped = Take(bytes, ref at);
            ulong count = Take(bytes, ref at);
            if (skipped >= GateHistogram.BinCount - next || count is 0 or > long.MaxValue / GateHistogram.BinCount)
            {
                throw new FormatException($"Histogram counts: {skipped} bins skipped after {next} and a count of {count} cannot be.");
            }

            counts[next + skipped] = (long)count;
            next += skipped + 1;
        }

        return new GateHistogram(counts);
    }

    private static void Append(List<byte> bytes, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        bytes.Add((byte)value);
    }

    private static ulong Take(byte[] bytes, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; shift < 63; shift += 7)
        {
            if (at == bytes.Length)
            {
                throw new FormatException("Histogram counts end inside a number.");
            }

            byte part = bytes[at++];
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }

        throw new FormatException("Histogram counts hold a number of more than 63 bits.");
    }
}
