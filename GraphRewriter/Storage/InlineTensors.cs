// SPDX-License-Identifier: MIT
// Finds the large tensor data inside a model file by a scan of its fields, and gives the model's bytes without it:
// the data is never parsed into memory. In its place stands a mark that refers to where it lies.
using System.Globalization;
using System.Text;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>The wire scan of a model file.</summary>
internal sealed class InlineTensors
{
    /// <summary>Data below this many bytes stays in the graph.</summary>
    public const int Threshold = 1024;

    /// <summary>The deepest nesting of graphs (an If in a Loop in an If ...) that is read.</summary>
    public const int MaxGraphDepth = 32;

    private const int MaxGroupDepth = 64;

    private readonly FileWindow _file;
    private readonly MemoryStream _output;
    private readonly List<InlineData> _found = [];

    private InlineTensors(FileWindow file)
    {
        _file = file;
        _output = new MemoryStream((int)Math.Min(file.Length, 64 * 1024));
    }

    /// <summary>Scans a model file.</summary>
    /// <returns>The model's bytes without large tensor data (never more than the file has), and where that data lies.</returns>
    /// <exception cref="InvalidModelException">The bytes are no protobuf message, or graphs are nested too deep.</exception>
    public static (ArraySegment<byte> Skeleton, IReadOnlyList<InlineData> Data) Scan(FileWindow file)
    {
        InlineTensors scan = new(file);
        scan.Message(TensorPath.Model, file.Length, 0);
        return (new ArraySegment<byte>(scan._output.GetBuffer(), 0, (int)scan._output.Length), scan._found);
    }

    private void Message(TensorPath kind, long end, int graphDepth)
    {
        bool elided = false;
        if (kind == TensorPath.Graph && ++graphDepth > MaxGraphDepth)
        {
            throw new InvalidModelException(_file.Path, $"graphs are nested more than {MaxGraphDepth} deep, at byte {_file.Position}.");
        }

        while (_file.Position < end)
        {
            long start = _file.Position;
            (ulong tag, _) = Varint(end);
            int field = (int)(tag >> 3);
            int wireType = (int)(tag & 7);
            if (tag > uint.MaxValue || field == 0)
            {
                throw NotOnnx(start, "a field without a number");
            }

            if (wireType != 2)
            {
                Scalar(start, field, wireType, end);
                continue;
            }

            (ulong length, int lengthBytes) = Varint(end);
            long content = _file.Position;
            if (length > (ulong)(end - content))
            {
                throw length > (ulong)(_file.Length - content)
                    ? _file.Truncated()
                    : NotOnnx(start, $"a field of {length} bytes where {end - content} are left");
            }

            bool isData = kind == TensorPath.Tensor && field is 4 or 9 or 10;
            if (isData && elided)
            {
                throw NotOnnx(start, "a second data field in one tensor");
            }

            if (isData && length >= Threshold)
            {
                Mark(field, content, (long)length);
                elided = true;
                _file.Skip((long)length);
                continue;
            }

            TensorPath child = TensorPaths.ChildOf(kind, field);
            WriteVarint(tag, 0);
            long lengthAt = _output.Position;
            WriteVarint(length, lengthBytes);
            if (child == TensorPath.Other)
            {
                CopyLeaf(kind, field, start, (long)length);
                continue;
            }

            Message(child, content + (long)length, graphDepth);
            long written = _output.Position - lengthAt - lengthBytes;
            if (written != (long)length)
            {
                long here = _output.Position;
                _output.Position = lengthAt;
                WriteVarint((ulong)written, lengthBytes);
                _output.Position = here;
            }
        }
    }

    private void CopyLeaf(TensorPath kind, int field, long start, long length)
    {
        long at = _output.Position;
        _file.CopyTo(_output, length);
        if (kind == TensorPath.Tensor && field == 13 && _output.GetBuffer().AsSpan((int)at, (int)length).IndexOf(ContentMark.KeyUtf8) >= 0)
        {
            throw NotOnnx(start, $"external data with the key '{ContentMark.Key}', which no file may have");
        }
    }

    /// <summary>Copies a field that has no length: number, fixed width, or the (unknown) group that starts here.</summary>
    private void Scalar(long start, int field, int wireType, long end)
    {
        Stack<int> groups = new();
        while (true)
        {
            switch (wireType)
            {
                case 0:
                    Varint(end);
                    break;
                case 1 or 5:
                    if (end - _file.Position < (wireType == 1 ? 8 : 4))
                    {
                        throw end == _file.Length ? _file.Truncated() : NotOnnx(start, "a number that does not end");
                    }

                    _file.Skip(wireType == 1 ? 8 : 4);
                    break;
                case 2:
                    (ulong length, _) = Varint(end);
                    if (length > (ulong)(end - _file.Position))
                    {
                        throw _file.Truncated();
                    }

                    _file.Skip((long)length);
                    break;
                case 3:
                    groups.Push(field);
                    if (groups.Count > MaxGroupDepth)
                    {
                        throw NotOnnx(start, $"groups nested more than {MaxGroupDepth} deep");
                    }

                    break;
                case 4 when groups.TryPop(out int open) && open == field:
                    break;
                default:
                    throw NotOnnx(start, $"field {field} of wire type {wireType}");
            }

            if (groups.Count == 0)
            {
                break;
            }

            (ulong tag, _) = Varint(end);
            field = (int)(tag >> 3);
            wireType = (int)(tag & 7);
        }

        long stop = _file.Position;
        _file.Skip(start - stop);
        _file.CopyTo(_output, stop - start);
    }

    private (ulong Value, int Bytes) Varint(long end)
    {
        ulong value = 0;
        for (int i = 0; i < 10; i++)
        {
            if (_file.Position >= end)
            {
                throw end == _file.Length ? _file.Truncated() : NotOnnx(_file.Position, "a number that does not end");
            }

            byte part = _file.ReadByte();
            value |= (ulong)(part & 0x7F) << (7 * i);
            if (part < 0x80)
            {
                return (value, i + 1);
            }
        }

        throw NotOnnx(_file.Position, "a number of more than ten bytes");
    }

    /// <summary>Writes a number in the least bytes, or in exactly <paramref name="width"/> bytes.</summary>
    private void WriteVarint(ulong value, int width)
    {
        for (int written = 1; ; written++)
        {
            bool more = value > 0x7F || written < width;
            _output.WriteByte((byte)((value & 0x7F) | (more ? 0x80u : 0)));
            value >>= 7;
            if (!more)
            {
                return;
            }
        }
    }

    private void Mark(int field, long offset, long length)
    {
        byte[] value = Encoding.ASCII.GetBytes(_found.Count.ToString(CultureInfo.InvariantCulture));
        _found.Add(new InlineData(field, new TensorLocation(_file.Path, offset, length)));
        int size = ContentMark.KeyUtf8.Length + value.Length + 4;
        _output.Write([(13 << 3) | 2, (byte)size, (1 << 3) | 2, (byte)ContentMark.KeyUtf8.Length]);
        _output.Write(ContentMark.KeyUtf8);
        _output.Write([(2 << 3) | 2, (byte)value.Length]);
        _output.Write(value);
    }

    private InvalidModelException NotOnnx(long position, string what) =>
        new(_file.Path, $"byte {position} holds {what}; the file is damaged or no ONNX model.");
}

/// <summary>Tensor data found inside a model file.</summary>
/// <param name="Field">The field of TensorProto that holds it: 9 raw_data, 4 float_data, 10 double_data.</param>
/// <param name="Location">Where it lies.</param>
internal sealed record InlineData(int Field, TensorLocation Location);
