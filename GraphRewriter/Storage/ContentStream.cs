// SPDX-License-Identifier: MIT
// Writes contents one after another into a new file, in blocks: one thread reads and lays out, one writes, one hashes and
// checks. Memory is the blocks, whatever the size.
using System.Collections.Concurrent;
using System.Security.Cryptography;
using CatsOnnx.GraphRewriter.Model;
using Microsoft.Win32.SafeHandles;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>The pipeline from contents to files.</summary>
internal sealed class ContentStream(ModelFiles files, IProgress<SaveProgress>? progress, long total, CancellationToken cancellation) : IDisposable
{
    private const int BlockBytes = 16 * 1024 * 1024;
    private long _written;

    /// <summary>A content and where it starts in the file.</summary>
    /// <param name="Offset">First byte; not below the end of the block before.</param>
    /// <param name="Content">The bytes.</param>
    /// <param name="CheckedName">The tensor's name where its values must be finite, else null.</param>
    /// <param name="DataType">Its element type.</param>
    internal sealed record Block(long Offset, TensorContent Content, string? CheckedName, int DataType);

    /// <summary>Tensors found not to be finite.</summary>
    public List<string> NonFinite { get; } = [];

    /// <summary>Writes a new file and makes it durable.</summary>
    /// <returns>SHA-256 of the file, lower-case hexadecimal.</returns>
    public string Write(string path, IReadOnlyList<Block> blocks, long length)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, FileOptions.None);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[BlockBytes];
        long position = 0;
        foreach (Block block in blocks)
        {
            if (block.Offset > position)
            {
                Span<byte> gap = buffer.AsSpan(0, checked((int)(block.Offset - position)));
                gap.Clear();
                Put(gap);
            }

            for (long offset = 0; offset < block.Content.Length;)
            {
                cancellation.ThrowIfCancellationRequested();
                Span<byte> part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, block.Content.Length - offset));
                ContentReader.Read(files, block.Content, offset, part);
                if (block.CheckedName is { } name && !NonFinite.Contains(name) && !FiniteScan.IsFinite(part, block.DataType))
                {
                    NonFinite.Add(name);
                }

                Put(part);
                offset += part.Length;
            }
        }

        RandomAccess.FlushToDisk(file);
        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Put(ReadOnlySpan<byte> part)
        {
            RandomAccess.Write(file, part, position);
            hash.AppendData(part);
            position += part.Length;
            _written += part.Length;
            progress?.Report(new SaveProgress(_written, total));
        }
    }

    public void Dispose()
    {
    }
}
