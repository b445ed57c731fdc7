// SPDX-License-Identifier: MIT
// The external_data entries of one tensor, read strictly: known keys once each, numbers that are numbers.
using System.Globalization;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>Where a tensor says that its bytes lie; not yet checked against any file.</summary>
/// <param name="Location">The file's name, relative to the model's folder.</param>
/// <param name="Offset">First byte; 0 where it is not said.</param>
/// <param name="Length">Number of bytes, or null where it is not said.</param>
internal sealed record ExternalDataEntry(string Location, long Offset, long? Length)
{
    /// <summary>Reads the entries of a tensor.</summary>
    /// <exception cref="FormatException">An entry is unknown, given twice, missing or no number.</exception>
    public static ExternalDataEntry Parse(TensorProto tensor)
    {
        Dictionary<string, string> entries = new(StringComparer.Ordinal);
        foreach (StringStringEntryProto entry in tensor.ExternalData)
        {
            if (entry.Key is not ("location" or "offset" or "length" or "checksum"))
            {
                throw new FormatException($"external data has the key '{entry.Key}'; known are location, offset, length and checksum");
            }

            if (!entries.TryAdd(entry.Key, entry.Value))
            {
                throw new FormatException($"external data has the key '{entry.Key}' twice");
            }
        }

        if (!entries.TryGetValue("location", out string? location))
        {
            throw new FormatException("external data has no location");
        }

        RequirePlainName(location);
        return new ExternalDataEntry(location, Number(entries, "offset") ?? 0, Number(entries, "length"));
    }

    private static long? Number(Dictionary<string, string> entries, string key)
    {
        if (!entries.TryGetValue(key, out string? text))
        {
            return null;
        }

        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value)
            ? value
            : throw new FormatException($"external data has the {key} '{text}', which is no number from 0 to {long.MaxValue}");
    }

    /// <summary>A relative path below the model's folder and nothing else, on every system.</summary>
    private static void RequirePlainName(string location)
    {
        if (location.Contains("_ORT_MEM_ADDR_", StringComparison.Ordinal))
        {
            throw new FormatException($"external data has the location '{location}', which stands for an address in memory");
        }

        bool plain = location.Length is > 0 and <= 4096
            && !location.AsSpan().ContainsAny("\0\\:*?\"<>|")
            && location.Split('/').All(part => part.Length > 0 && part != "..");
        if (!plain)
        {
            throw new FormatException($"external data has the location '{location}', which is no plain path below the model's folder");
        }
    }
}
