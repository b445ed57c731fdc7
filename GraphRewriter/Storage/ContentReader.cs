// SPDX-License-Identifier: MIT
// Reads windows of a tensor's bytes, whatever they are made of.
namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>Reads a window of a tensor's content.</summary>
internal static class ContentReader
{
    /// <summary>Fills <paramref name="destination"/> with the bytes from <paramref name="offset"/> on.</summary>
    /// <exception cref="InvalidModelException">A file ends early.</exception>
    public static void Read(ModelFiles files, TensorContent content, long offset, Span<byte> destination)
    {
        switch (content)
        {
            case TensorContent.Stored stored:
                ReadFile(files.At(stored.Location.FilePath), checked(stored.Location.Offset + offset), destination);
                break;
            case TensorContent.Bytes bytes:
                bytes.Memory.Span.Slice((int)offset, destination.Length).CopyTo(destination);
                break;
            case TensorContent.Pieces pieces:
                StridedCopy.Read(files, pieces, offset, destination);
                break;
            case TensorContent.Computed computed:
                computed.Fill(offset, destination);
                break;
            default:
                throw new ArgumentException($"Unknown content {content.GetType().Name}.", nameof(content));
        }
    }

    /// <summary>
    /// Where the next bytes lie that are not known to be zero, from <paramref name="offset"/> on; the content's length where
    /// there are none. Only holes of a file are known.
    /// </summary>
    public static long NextData(ModelFiles files, TensorContent content, long offset)
    {
        if (content is not TensorContent.Stored { Location: var at })
        {
            return offset;
        }

        ModelFiles.OpenFile file = files.At(at.FilePath);
        long data = PosixFile.Seek(file.Handle, checked(at.Offset + offset), file.Length, hole: false);
        return Math.Clamp(data - at.Offset, offset, content.Length);
    }

    /// <summary>Whether a window is known to be zeros: every byte that it is made of lies in a hole of a file.</summary>
    public static bool IsHole(ModelFiles files, TensorContent content, long offset, long length) => content switch
    {
        TensorContent.Stored => NextData(files, content, offset) - offset >= length,
        TensorContent.Pieces pieces => pieces.Items.All(piece => NextData(files, piece.Source, 0) == piece.Source.Length),
        _ => false,
    };

    /// <summary>Reads exactly as many bytes as asked for.</summary>
    public static void ReadFile(ModelFiles.OpenFile file, long offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            int count = RandomAccess.Read(file.Handle, destination, offset);
            if (count == 0)
            {
                throw new InvalidModelException(file.Path, $"it ends at byte {offset}, inside a tensor; it has become shorter since it was opened.");
            }

            destination = destination[count..];
            offset += count;
        }
    }
}
