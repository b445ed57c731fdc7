// SPDX-License-Identifier: MIT
// Whether an ONNX file imports the ai.cats domain, read from its top-level fields without reading the graph.
using System.Text;

namespace CatsOnnx.Session;

internal static class CatsDomain
{
    private const int OpsetImportField = 8; // ModelProto.opset_import; in it, field 1 is the domain
    private const int LongestImport = 4096;

    /// <summary>Whether the model imports ai.cats. A file that is not understood imports nothing: ONNX Runtime says what is wrong.</summary>
    public static bool IsImported(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 256);
        return IsImported(stream);
    }

    /// <summary>The same for a model in memory.</summary>
    public static bool IsImported(byte[] model)
    {
        using MemoryStream stream = new(model, writable: false);
        return IsImported(stream);
    }

    private static bool IsImported(Stream stream)
    {
        byte[] domain = [(1 << 3) | 2, (byte)CatsOps.Domain.Length, .. Encoding.UTF8.GetBytes(CatsOps.Domain)]; // field 1 of an import
        while (ReadVarint(stream) is ulong tag)
        {
            if ((tag & 7) != 2)
            {
                if (!SkipScalar(stream, (int)(tag & 7)))
                {
                    return false;
                }

                continue;
            }

            if (ReadVarint(stream) is not ulong length || length > (ulong)(stream.Length - stream.Position))
            {
                return false;
            }

            if (tag >> 3 != OpsetImportField || length > LongestImport)
            {
                stream.Seek((long)length, SeekOrigin.Current);
                continue;
            }

            byte[] import = new byte[length];
            stream.ReadExactly(import);
            if (import.AsSpan().IndexOf(domain) >= 0)
            {
                return true;
            }
        }

        return false;
    }

    private static bool SkipScalar(Stream stream, int wireType)
    {
        switch (wireType)
        {
            case 0:
                return ReadVarint(stream) is not null;
            case 1:
                stream.Seek(8, SeekOrigin.Current);
                return true;
            case 5:
                stream.Seek(4, SeekOrigin.Current);
                return true;
            default:
                return false;
        }
    }

    private static ulong? ReadVarint(Stream stream)
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            int part = stream.ReadByte();
            if (part < 0)
            {
                return null;
            }

            value |= (ulong)(part & 0x7F) << shift;
            if ((part & 0x80) == 0)
            {
                return value;
            }
        }

        return null;
    }
}
