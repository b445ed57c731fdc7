// SPDX-License-Identifier: MIT
// Reads a file forwards through one fixed buffer: what is skipped is never read, and nothing grows with the file.
using Microsoft.Win32.SafeHandles;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>A forward reader over positioned reads, with jumps.</summary>
internal sealed class FileWindow(SafeFileHandle file, string path, long length)
{
    private readonly byte[] _buffer = new byte[(int)Math.Clamp(length, 1, 256 * 1024)];
    private long _bufferStart;
    private int _bufferCount;

    public string Path { get; } = path;

    public long Length { get; } = length;

    public long Position { get; private set; }

    public byte ReadByte()
    {
        if (Position >= Length)
        {
            throw Truncated();
        }

        Fill();
        return _buffer[Position++ - _bufferStart];
    }

    public void Skip(long count) => Position = checked(Position + count);

    /// <summary>Copies the next bytes to <paramref name="output"/> and passes them.</summary>
    public void CopyTo(MemoryStream output, long count)
    {
        if (count > Length - Position)
        {
            throw Truncated();
        }

        while (count > 0)
        {
            Fill();
            int start = (int)(Position - _bufferStart);
            int some = (int)Math.Min(count, _bufferCount - start);
            output.Write(_buffer, start, some);
            Position += some;
            count -= some;
        }
    }

    public InvalidModelException Truncated() => new(Path, $"it ends inside a field, at byte {Length}; the file is truncated or no ONNX model.");

    private void Fill()
    {
        if (Position >= _bufferStart && Position < _bufferStart + _bufferCount)
        {
            return;
        }

        _bufferStart = Position;
        _bufferCount = RandomAccess.Read(file, _buffer.AsSpan(0, (int)Math.Min(_buffer.Length, Length - Position)), Position);
        if (_bufferCount == 0)
        {
            throw Truncated();
        }
    }
}
