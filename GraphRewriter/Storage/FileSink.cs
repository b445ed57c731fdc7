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
    private readonly long _length;
    private bool _direct;

    /// <summary>Creates the file.</summary>
    /// <exception cref="IOException">It exists already.</exception>
    public FileSink(string path, long length)
    {
        _file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
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
        if (!_direct)
        {
            RandomAccess.Write(_file, buffer[..count], position);
            return;
        }

        int whole = (int)CheckedSize.AlignUp(count, PosixFile.DirectAlignment);
        buffer[count..whole].Clear();
        try
        {
            RandomAccess.Write(_file, buffer[..whole], position);
        }
        catch (Exception e) when (e is ArgumentException || (e is IOException && e.HResult == InvalidArgument))
        {
            _direct = PosixFile.SetDirect(_file, false);
            RandomAccess.Write(_file, buffer[..count], position);
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
}
