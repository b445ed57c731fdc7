// SPDX-License-Identifier: MIT
// The way back of the wire scan: takes a serialised graph with marks and says what to write so that the marked tensors
// hold their data again, with the lengths of all messages around them corrected.
using System.Globalization;
using System.Text;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>The parts of a model file in order: ranges of the serialised graph, new length fields, tensor contents.</summary>
internal sealed class SkeletonWriter
{
    private readonly byte[] _skeleton;
    private readonly Func<int, (int Field, TensorContent Content)> _contentOf;
    private readonly List<Part> _parts = [];

    /// <summary>Plans the file.</summary>
    /// <param name="skeleton">A serialised ModelProto whose tensors may hold marks.</param>
    /// <param name="contentOf">The field and the content behind the index of a mark.</param>
    public SkeletonWriter(byte[] skeleton, Func<int, (int Field, TensorContent Content)> contentOf)
    {
        _skeleton = skeleton;
        _contentOf = contentOf;
        Length = Plan(TensorPath.Model, 0, skeleton.Length);
    }

    /// <summary>A range of the skeleton, bytes of its own, or a tensor's content.</summary>
    internal readonly record struct Part(int Start, int Count, byte[]? Literal, TensorContent? Content);

    /// <summary>Bytes of the whole file.</summary>
    public long Length { get; }

    /// <summary>The parts in order.</summary>
    public IReadOnlyList<Part> Parts => _parts;

    /// <summary>The bytes of a range part or a literal part.</summary>
    public ReadOnlySpan<byte> BytesOf(Part part) => part.Literal ?? _skeleton.AsSpan(part.Start, part.Count);

    private long Plan(TensorPath path, int start, int end)
    {
        long size = 0;
        int position = start;
        int copiedTo = start;
        while (position < end)
        {
            int fieldStart = position;
            ulong tag = Varint(ref position);
            int field = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    Varint(ref position);
                    continue;
                case 1:
                    position += 8;
                    continue;
                case 5:
                    position += 4;
                    continue;
                case 3:
                    SkipGroup(ref position);
                    continue;
            }

            int length = checked((int)Varint(ref position));
            int content = position;
            position += length;
            TensorPath child = TensorPaths.ChildOf(path, field);
            if (path == TensorPath.Tensor && field == 13 && MarkIndex(_skeleton.AsSpan(content, length)) is >= 0 and int index)
            {
                size += Copy(copiedTo, fieldStart);
                (int dataField, TensorContent data) = _contentOf(index);
                byte[] head = [.. Encode((ulong)((dataField << 3) | 2)), .. Encode((ulong)data.Length)];
                _parts.Add(new Part(0, 0, head, null));
                _parts.Add(new Part(0, 0, null, data));
                size = checked(size + head.Length + data.Length);
                copiedTo = position;
            }
            else if (child != TensorPath.Other)
            {
                int before = _parts.Count;
                long copied = Copy(copiedTo, fieldStart);
                int head = _parts.Count;
                _parts.Add(default);
                long inner = Plan(child, content, position);
                if (_parts.Skip(head).Any(part => part.Content is not null))
                {
                    byte[] literal = [.. Encode(tag), .. Encode((ulong)inner)];
                    _parts[head] = new Part(0, 0, literal, null);
                    size = checked(size + copied + literal.Length + inner);
                    copiedTo = position;
                }
                else
                {
                    _parts.RemoveRange(before, _parts.Count - before);
                }
            }
        }

        return checked(size + Copy(copiedTo, end));
    }

    private static int MarkIndex(ReadOnlySpan<byte> entry)
    {
        // 0A n key 12 m digits, as ContentMark sets it
        int keyLength = ContentMark.KeyUtf8.Length;
        return entry.Length > keyLength + 4 && entry[0] == 0x0A && entry[1] == keyLength && entry.Slice(2, keyLength).SequenceEqual(ContentMark.KeyUtf8)
            ? int.Parse(Encoding.ASCII.GetString(entry[(keyLength + 4)..]), CultureInfo.InvariantCulture)
            : -1;
    }

    private long Copy(int start, int end)
    {
        if (end > start)
        {
            _parts.Add(new Part(start, end - start, null, null));
        }

        return end - start;
    }

    private void SkipGroup(ref int position)
    {
        for (int depth = 1; depth > 0;)
        {
            ulong wireType = Varint(ref position) & 7;
            switch (wireType)
            {
                case 0:
                    Varint(ref position);
                    break;
                case 1:
                    position += 8;
                    break;
                case 2:
                    int length = checked((int)Varint(ref position));
                    position += length;
                    break;
                case 3:
                    depth++;
                    break;
                case 4:
                    depth--;
                    break;
                default:
                    position += 4;
                    break;
            }
        }
    }

    private ulong Varint(ref int position)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte part = _skeleton[position++];
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }
    }

    private static byte[] Encode(ulong value)
    {
        List<byte> bytes = [];
        for (; value > 0x7F; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        bytes.Add((byte)value);
        return [.. bytes];
    }
}
