// SPDX-License-Identifier: MIT
// Writes contents one after another into a new file, in blocks: one thread reads and lays out, one writes, one hashes.
// Memory is the blocks, whatever the size.
using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Output;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>The pipeline from contents to files.</summary>
internal sealed class ContentStream(ModelFiles files, IProgress<SaveProgress>? progress, long total, CancellationToken cancellation)
{
    /// <summary>Large enough that a transpose reads runs of some KiB; four of them are the memory of a save.</summary>
    private const int BlockBytes = 32 * 1024 * 1024;
    private const int BlocksInFlight = 4;

    private long _written;

    /// <summary>A content and where it starts in the file.</summary>
    /// <param name="Offset">First byte; not below the end of the item before.</param>
    /// <param name="Content">The bytes.</param>
    /// <param name="CheckedName">The tensor's name where its values must be finite, else null.</param>
    /// <param name="DataType">Its element type.</param>
    internal sealed record Item(long Offset, TensorContent Content, string? CheckedName, int DataType);

    /// <summary>Tensors found not to be finite.</summary>
    public List<string> NonFinite { get; } = [];

    /// <summary>A block of the file on its way through the threads; free again when both are done with it.</summary>
    private sealed class Block(int size)
    {
        private int _users;

        public AlignedBuffer Buffer { get; } = new(size);

        public int Count { get; set; }

        public long Position { get; set; }

        /// <summary>Whether it is all zeros because the source has a hole there.</summary>
        public bool IsHole { get; set; }

        public void Share() => _users = 2;

        public bool Release() => Interlocked.Decrement(ref _users) == 0;
    }

    /// <summary>Writes a new file.</summary>
    /// <returns>SHA-256 of the file, lower-case hexadecimal.</returns>
    public string Write(string path, IReadOnlyList<Item> items, long length)
    {
        int size = (int)Math.Min(BlockBytes, CheckedSize.AlignUp(Math.Max(length, 1), PosixFile.DirectAlignment));
        int count = (int)Math.Min(BlocksInFlight, (length / size) + 1);
        using FileSink sink = new(path, length);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using BlockingCollection<Block> free = [];
        using BlockingCollection<Block> toWrite = [];
        using BlockingCollection<Block> toHash = [];
        List<Block> blocks = [.. Enumerable.Range(0, count).Select(_ => new Block(size))];
        blocks.ForEach(free.Add);
        string hash = string.Empty;
        Exception? fault = null;
        Thread writer = Start("cats write", () => WriteBlocks(sink, toWrite, free, stop.Token));
        Thread hasher = Start("cats hash", () => hash = HashBlocks(toHash, free, stop.Token));
        try
        {
            Guard(() => FillBlocks(items, length, free, toWrite, toHash, stop.Token));
            toWrite.CompleteAdding();
            toHash.CompleteAdding();
            writer.Join();
            hasher.Join();
            cancellation.ThrowIfCancellationRequested();
            if (fault is not null)
            {
                ExceptionDispatchInfo.Throw(fault);
            }

            CrashPoint.Reach($"filled {path}");
            sink.Complete();
            CrashPoint.Reach($"completed {path}");
            return hash;
        }
        finally
        {
            foreach (Block block in blocks)
            {
                ((IDisposable)block.Buffer).Dispose();
            }
        }

        Thread Start(string name, Action work)
        {
            Thread thread = new(() => Guard(work)) { Name = name, IsBackground = true };
            thread.Start();
            return thread;
        }

        // the first fault is the one to tell; what the others meet when they are stopped is not
        void Guard(Action work)
        {
            try
            {
                work();
            }
            catch (Exception e)
            {
                if (e is not OperationCanceledException)
                {
                    Interlocked.CompareExchange(ref fault, e, null);
                }

                stop.Cancel();
            }
        }
    }

    private void FillBlocks(
        IReadOnlyList<Item> items, long length, BlockingCollection<Block> free, BlockingCollection<Block> toWrite, BlockingCollection<Block> toHash, CancellationToken stop)
    {
        int next = 0;
        for (long position = 0; position < length;)
        {
            Block block = free.Take(stop);
            Span<byte> span = block.Buffer.GetSpan();
            block.Position = position;
            block.Count = (int)Math.Min(span.Length, length - position);
            block.IsHole = true;
            int filled = 0;
            while (filled < block.Count)
            {
                long at = position + filled;
                while (next < items.Count && items[next].Offset + items[next].Content.Length <= at)
                {
                    next++;
                }

                long start = next < items.Count ? items[next].Offset : length;
                if (start > at)
                {
                    int gap = (int)Math.Min(block.Count - filled, start - at);
                    span.Slice(filled, gap).Clear();
                    filled += gap;
                    continue;
                }

                Item item = items[next];
                int some = (int)Math.Min(block.Count - filled, item.Offset + item.Content.Length - at);
                Span<byte> part = span.Slice(filled, some);
                if (ContentReader.IsHole(files, item.Content, at - item.Offset, some))
                {
                    part.Clear();
                }
                else
                {
                    block.IsHole = false;
                    ContentReader.Read(files, item.Content, at - item.Offset, part);
                    Check(item, part, at - item.Offset);
                }

                filled += some;
            }

            position += block.Count;
            block.Share();
            toWrite.Add(block, stop);
            toHash.Add(block, stop);
        }
    }

    /// <summary>Checks the elements that lie wholly in a part; blocks are cut on 4096 bytes and items start on 64, so all do.</summary>
    private void Check(Item item, ReadOnlySpan<byte> part, long offset)
    {
        if (item.CheckedName is null || NonFinite.Contains(item.CheckedName))
        {
            return;
        }

        // in a model file tensors start anywhere: an element may be cut by a block, and is then read again
        int size = ElementType.Bytes(item.DataType);
        int head = (int)((size - (offset % size)) % size);
        int whole = (part.Length - Math.Min(head, part.Length)) / size * size;
        bool finite = part.Length <= head || FiniteScan.IsFinite(part.Slice(head, whole), item.DataType);
        if (finite && head > 0)
        {
            byte[] element = new byte[size];
            ContentReader.Read(files, item.Content, offset / size * size, element);
            finite = FiniteScan.IsFinite(element, item.DataType);
        }

        if (!finite)
        {
            NonFinite.Add(item.CheckedName);
        }
    }

    private void WriteBlocks(FileSink sink, BlockingCollection<Block> blocks, BlockingCollection<Block> free, CancellationToken stop)
    {
        foreach (Block block in blocks.GetConsumingEnumerable(stop))
        {
            if (!block.IsHole)
            {
                sink.Write(block.Buffer.GetSpan(), block.Count, block.Position);
            }

            CrashPoint.Reach("block");
            _written += block.Count;
            progress?.Report(new SaveProgress(_written, total));
            if (block.Release())
            {
                free.Add(block, stop);
            }
        }
    }

    private static string HashBlocks(BlockingCollection<Block> blocks, BlockingCollection<Block> free, CancellationToken stop)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (Block block in blocks.GetConsumingEnumerable(stop))
        {
            hash.AppendData(block.Buffer.GetSpan()[..block.Count]);
            if (block.Release())
            {
                free.Add(block, stop);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
