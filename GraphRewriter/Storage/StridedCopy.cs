// SPDX-License-Identifier: MIT
// Fills a window of a tensor that is made of pieces. The source is read in bands of whole runs of bytes and laid out
// anew in memory, so that a transpose reads every byte once per window and holds one band.
namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>Copies pieces.</summary>
internal static class StridedCopy
{
    /// <summary>Bytes of source that are held at once.</summary>
    private const int BandBytes = 512 * 1024;

    /// <summary>Fills <paramref name="destination"/> with the bytes from <paramref name="offset"/> on.</summary>
    /// <param name="files">Opens the sources.</param>
    /// <param name="pieces">The tensor.</param>
    /// <param name="offset">First byte of the window.</param>
    /// <param name="destination">The window.</param>
    public static void Read(ModelFiles files, TensorContent.Pieces pieces, long offset, Span<byte> destination)
    {
        if (destination.Length == 0)
        {
            return;
        }

        int size = pieces.Items[0].ElementSize;
        if (offset % size != 0 || destination.Length % size != 0)
        {
            // a window that cuts elements: take the whole elements around it
            long first = offset / size * size;
            byte[] whole = new byte[CheckedSize.AlignUp(offset + destination.Length - first, size)];
            Read(files, pieces, first, whole);
            whole.AsSpan((int)(offset - first), destination.Length).CopyTo(destination);
            return;
        }

        long start = offset / size;
        long end = start + (destination.Length / size);
        foreach (StridedPiece piece in pieces.Items)
        {
            foreach (Rectangle part in Parts(piece, start, end))
            {
                Copy(files, piece, part, start, destination);
            }
        }
    }

    /// <summary>Outer index o in [OuterStart, OuterEnd), inner index i in [InnerStart, InnerEnd) of a piece; outer is the axis with the longer destination stride.</summary>
    private readonly record struct Rectangle(long OuterStart, long OuterEnd, long InnerStart, long InnerEnd);

    private readonly record struct Axes(long Outer, long Inner, long SourceOuter, long SourceInner, long DestinationOuter, long DestinationInner)
    {
        public static Axes Of(StridedPiece p) => p.Rows == 1 || (p.Columns != 1 && p.DestinationRowStride >= p.DestinationColumnStride)
            ? new(p.Rows, p.Columns, p.SourceRowStride, p.SourceColumnStride, p.DestinationRowStride, p.DestinationColumnStride)
            : new(p.Columns, p.Rows, p.SourceColumnStride, p.SourceRowStride, p.DestinationColumnStride, p.DestinationRowStride);
    }

    /// <summary>The rectangles of a piece that fall into a window: a part of the first outer row, whole rows, a part of the last.</summary>
    private static IEnumerable<Rectangle> Parts(StridedPiece piece, long start, long end)
    {
        Axes axes = Axes.Of(piece);
        if (axes.Outer == 0 || axes.Inner == 0)
        {
            yield break;
        }

        // the elements of outer row o lie in [offset + o * stride, offset + o * stride + span]
        long span = (axes.Inner - 1) * axes.DestinationInner;
        long first = Math.Max(0, CeilingDivide(start - piece.DestinationOffset - span, axes.DestinationOuter));
        long last = Math.Min(axes.Outer - 1, FloorDivide(end - 1 - piece.DestinationOffset, axes.DestinationOuter));
        long wholeFrom = Math.Max(0, CeilingDivide(start - piece.DestinationOffset, axes.DestinationOuter));
        long wholeTo = Math.Min(axes.Outer - 1, FloorDivide(end - 1 - piece.DestinationOffset - span, axes.DestinationOuter));
        for (long o = first; o <= last; o++)
        {
            if (o >= wholeFrom && o <= wholeTo)
            {
                yield return new Rectangle(o, wholeTo + 1, 0, axes.Inner);
                o = wholeTo;
                continue;
            }

            long row = piece.DestinationOffset + (o * axes.DestinationOuter);
            long from = Math.Max(0, CeilingDivide(start - row, axes.DestinationInner));
            long to = Math.Min(axes.Inner - 1, FloorDivide(end - 1 - row, axes.DestinationInner));
            if (from <= to)
            {
                yield return new Rectangle(o, o + 1, from, to + 1);
            }
        }
    }

    private static void Copy(ModelFiles files, StridedPiece piece, Rectangle part, long windowStart, Span<byte> window)
    {
        Axes axes = Axes.Of(piece);
        int size = piece.ElementSize;
        long outer = part.OuterEnd - part.OuterStart;
        long inner = part.InnerEnd - part.InnerStart;
        long source = piece.SourceOffset + (part.OuterStart * axes.SourceOuter) + (part.InnerStart * axes.SourceInner);
        long target = piece.DestinationOffset + (part.OuterStart * axes.DestinationOuter) + (part.InnerStart * axes.DestinationInner) - windowStart;
        if (axes.SourceInner == 1 && axes.DestinationInner == 1)
        {
            if (axes.SourceOuter == inner && axes.DestinationOuter == inner)
            {
                inner *= outer;
                outer = 1;
            }

            for (long o = 0; o < outer; o++)
            {
                ContentReader.Read(files, piece.Source, (source + (o * axes.SourceOuter)) * size,
                    window.Slice((int)((target + (o * axes.DestinationOuter)) * size), (int)(inner * size)));
            }

            return;
        }

        // The axis that is closer together in the source is read in runs; the other one gives the rows of a band.
        bool outerRuns = axes.SourceOuter < axes.SourceInner;
        (long runs, long runStride, long runTarget) = outerRuns
            ? (inner, axes.SourceInner, axes.DestinationInner)
            : (outer, axes.SourceOuter, axes.DestinationOuter);
        (long count, long step, long stepTarget) = outerRuns
            ? (outer, axes.SourceOuter, axes.DestinationOuter)
            : (inner, axes.SourceInner, axes.DestinationInner);
        long runLength = ((count - 1) * step) + 1;
        long pieceOfRun = Math.Min(count, Math.Max(1, BandBytes / size / 16 / step));
        if (pieceOfRun < count)
        {
            runLength = ((pieceOfRun - 1) * step) + 1;
        }

        long bandRows = Math.Clamp(BandBytes / (runLength * size), 1, runs);
        byte[] band = System.Buffers.ArrayPool<byte>.Shared.Rent(checked((int)(bandRows * runLength * size)));
        try
        {
            for (long c = 0; c < count; c += pieceOfRun)
            {
                long columns = Math.Min(pieceOfRun, count - c);
                long length = ((columns - 1) * step) + 1;
                for (long r = 0; r < runs; r += bandRows)
                {
                    long rows = Math.Min(bandRows, runs - r);
                    ReadBand(files, piece.Source, (source + (r * runStride) + (c * step)) * size, runStride * size, length * size, rows, band);
                    TileCopy.Scatter(
                        band, (int)length, (int)step, window,
                        checked((int)(target + (r * runTarget) + (c * stepTarget))), Stride(runTarget, rows), Stride(stepTarget, columns),
                        (int)rows, (int)columns, size);
                }
            }
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(band);
        }
    }

    /// <summary>A stride inside a window; with a single element it is never used and may be anything.</summary>
    private static int Stride(long stride, long count) => count == 1 ? 1 : checked((int)stride);

    private static void ReadBand(ModelFiles files, TensorContent source, long offset, long stride, long length, long rows, byte[] band)
    {
        if (stride == length)
        {
            ContentReader.Read(files, source, offset, band.AsSpan(0, (int)(rows * length)));
            return;
        }

        for (long r = 0; r < rows; r++)
        {
            ContentReader.Read(files, source, offset + (r * stride), band.AsSpan((int)(r * length), (int)length));
        }
    }

    private static long FloorDivide(long a, long b) => a >= 0 ? a / b : -((-a + b - 1) / b);

    private static long CeilingDivide(long a, long b) => -FloorDivide(-a, b);
}
