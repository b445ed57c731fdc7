// SPDX-License-Identifier: MIT
// A new file that is written from start to end in large blocks, past the page cache where the system can, with holes
// where the source had holes.
using Microsoft.Win32.SafeHandles;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>Writes one new file.</summary>
internal sealed class FileSink : IDisposable
{
    /// <summary>Files below this size stay in the page cache.</summary>
    private const long DirectFrom = 64L * 1024 * 1024;
    private const int InvalidArgument = 22;

    private readonly SafeFileHandle _file;
    private readonly string _path;
    private readonly long _length;
    private bool _direct;

    /// <summary>Creates the file.</summary>
    /// <exception cref="IOException">It exists already.</exception>
    public FileSink(string path, long length)
    {
        _file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        _path = path;
        _length = length;
        try
        {
            _direct = length >= DirectFrom && PosixFile.SetDirect(_file, true);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>Writes a block.</summary>
    /// <param name="buffer">The block on a page boundary; its memory goes on to the next page boundary after <paramref name="count"/>.</param>
    /// <param name="count">Bytes of the block.</param>
    /// <param name="position">Where it goes; on a page boundary.</param>
    public void Write(Span<byte> buffer, int count, long position)
    {
        try
        {
            if (_direct)
            {
                int whole = (int)CheckedSize.AlignUp(count, PosixFile.DirectAlignment);
                buffer[count..whole].Clear();
                RandomAccess.Write(_file, buffer[..whole], position);
                return;
            }
        }
        catch (Exception e) when ((e is ArgumentException and not ArgumentOutOfRangeException) || (e is IOException && e.HResult == InvalidArgument))
        {
            // this file system took the flag and does not keep to it
            _direct = PosixFile.SetDirect(_file, false);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw TooLarge(e);
        }

        try
        {
            RandomAccess.Write(_file, buffer[..count], position);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw TooLarge(e);
        }
    }

    /// <summary>Gives the file its length. Whoever gives the folder its name makes it durable before.</summary>
    public void Complete()
    {
        if (RandomAccess.GetLength(_file) != _length)
        {
            RandomAccess.SetLength(_file, _length);
        }
    }

    public void Dispose() => _file.Dispose();

    /// <summary>.NET tells a write past the largest file that is allowed as an argument out of range.</summary>
    private IOException TooLarge(Exception e) => new($"{_path}: the file system or the user's limit allows no file of {_length} bytes.", e);
}
