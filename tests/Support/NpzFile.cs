// SPDX-License-Identifier: MIT
// Reads NumPy's .npz files: a zip of arrays, each with a short header.
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;

namespace CatsOnnx.Tests.Support;

/// <summary>One array: its type as NumPy writes it ("&lt;f4"), its shape, its raw bytes in C order.</summary>
public sealed record NpyArray(string Type, long[] Shape, byte[] Bytes)
{
    /// <summary>The elements as doubles; uint16 arrays that hold bfloat16 bits by <paramref name="bfloat16"/>.</summary>
    public double[] ToDoubles(bool bfloat16 = false)
    {
        int size = Type[^1] - '0';
        double[] values = new double[Bytes.Length / size];
        for (int i = 0; i < values.Length; i++)
        {
            ReadOnlySpan<byte> at = Bytes.AsSpan(i * size, size);
            values[i] = Type[1..] switch
            {
                "f4" => BitConverter.ToSingle(at),
                "f8" => BitConverter.ToDouble(at),
                "f2" => (double)BitConverter.ToHalf(at),
                "u2" when bfloat16 => BitConverter.Int32BitsToSingle(BitConverter.ToUInt16(at) << 16),
                "i8" => BitConverter.ToInt64(at),
                "i4" => BitConverter.ToInt32(at),
                "b1" or "u1" => at[0],
                _ => throw new NotSupportedException($"Arrays of type {Type} are not read."),
            };
        }

        return values;
    }
}

/// <summary>An .npz file.</summary>
public static class NpzFile
{
    /// <summary>Every array of a file by its name.</summary>
    /// <param name="path">The file.</param>
    public static Dictionary<string, NpyArray> Read(string path)
    {
        Dictionary<string, NpyArray> arrays = new(StringComparer.Ordinal);
        using ZipArchive archive = ZipFile.OpenRead(path);
        foreach (ZipArchiveEntry entry in archive.Entries)
        {
            using Stream stream = entry.Open();
            using MemoryStream bytes = new();
            stream.CopyTo(bytes);
            arrays.Add(entry.FullName[..^".npy".Length], Parse(bytes.ToArray(), $"{path}:{entry.FullName}"));
        }

        return arrays;
    }

    private static NpyArray Parse(byte[] bytes, string name)
    {
        if (bytes.Length < 10 || bytes[0] != 0x93 || Encoding.ASCII.GetString(bytes, 1, 5) != "NUMPY")
        {
            throw new InvalidDataException($"{name} is no NumPy array.");
        }

        int lengthSize = bytes[6] == 1 ? 2 : 4;
        int length = lengthSize == 2 ? BitConverter.ToUInt16(bytes, 8) : BitConverter.ToInt32(bytes, 8);
        int start = 8 + lengthSize;
        string header = Encoding.Latin1.GetString(bytes, start, length);
        Match type = Regex.Match(header, @"'descr': '([^']+)'");
        Match shape = Regex.Match(header, @"'shape': \(([^)]*)\)");
        if (!type.Success || !shape.Success || header.Contains("'fortran_order': True", StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{name} has the header {header}, which is not read.");
        }

        long[] dims = [.. shape.Groups[1].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(dim => long.Parse(dim, CultureInfo.InvariantCulture))];
        return new NpyArray(type.Groups[1].Value, dims, bytes[(start + length)..]);
    }
}
