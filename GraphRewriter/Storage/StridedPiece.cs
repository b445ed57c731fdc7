// SPDX-License-Identifier: MIT
// A rectangle of elements that moves from one tensor to its place in another.
namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>
/// Element (r, c), for r below <paramref name="Rows"/> and c below <paramref name="Columns"/>, goes from
/// SourceOffset + r * SourceRowStride + c * SourceColumnStride of the source to
/// DestinationOffset + r * DestinationRowStride + c * DestinationColumnStride of the destination; all counted in elements.
/// </summary>
/// <param name="Source">The bytes to take from: stored or in memory.</param>
/// <param name="ElementSize">Bytes of one element: 1, 2, 4 or 8.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Columns">Number of columns.</param>
/// <param name="SourceOffset">Element of the source where (0, 0) lies.</param>
/// <param name="SourceRowStride">Elements of the source from one row to the next; positive.</param>
/// <param name="SourceColumnStride">Elements of the source from one column to the next; positive.</param>
/// <param name="DestinationOffset">Element of the destination where (0, 0) goes.</param>
/// <param name="DestinationRowStride">Elements of the destination from one row to the next; positive.</param>
/// <param name="DestinationColumnStride">Elements of the destination from one column to the next; positive.</param>
internal sealed record StridedPiece(
    TensorContent Source,
    int ElementSize,
    long Rows,
    long Columns,
    long SourceOffset,
    long SourceRowStride,
    long SourceColumnStride,
    long DestinationOffset,
    long DestinationRowStride,
    long DestinationColumnStride)
{
    /// <summary>Number of elements.</summary>
    public long Elements => CheckedSize.Product(Rows, Columns);

    /// <summary>The piece that puts the same elements back where they came from.</summary>
    /// <param name="source">What this piece wrote.</param>
    public StridedPiece Inverse(TensorContent source) => new(
        source, ElementSize, Rows, Columns,
        DestinationOffset, DestinationRowStride, DestinationColumnStride,
        SourceOffset, SourceRowStride, SourceColumnStride);

    internal static void RequireCover(IReadOnlyList<StridedPiece> pieces, long length)
    {
        long covered = 0;
        foreach (StridedPiece piece in pieces)
        {
            if (piece.ElementSize is not (1 or 2 or 4 or 8))
            {
                throw new ArgumentException($"The element size is {piece.ElementSize}; it must be 1, 2, 4 or 8 bytes.", nameof(pieces));
            }

            if (piece.Source is TensorContent.Pieces)
            {
                throw new ArgumentException("The source of a piece must be stored or in memory.", nameof(pieces));
            }

            if (piece.ElementSize != pieces[0].ElementSize)
            {
                throw new ArgumentException($"The pieces have elements of {pieces[0].ElementSize} and of {piece.ElementSize} bytes.", nameof(pieces));
            }

            RequireInside("source", piece.Rows, piece.Columns, piece.SourceOffset, piece.SourceRowStride, piece.SourceColumnStride,
                piece.Source.Length / piece.ElementSize);
            RequireInside("destination", piece.Rows, piece.Columns, piece.DestinationOffset, piece.DestinationRowStride,
                piece.DestinationColumnStride, length / piece.ElementSize);
            RequireOnce(piece);
            covered = CheckedSize.Sum(covered, CheckedSize.Product(piece.Elements, piece.ElementSize));
        }

        if (covered != length)
        {
            throw new ArgumentException($"The pieces hold {covered} bytes; the tensor has {length}.", nameof(pieces));
        }
    }

    /// <summary>No two elements of a piece go to one place: the shorter destination axis fits into a step of the longer one.</summary>
    private static void RequireOnce(StridedPiece piece)
    {
        (long outer, long outerStride, long inner, long innerStride) = piece.DestinationRowStride >= piece.DestinationColumnStride
            ? (piece.Rows, piece.DestinationRowStride, piece.Columns, piece.DestinationColumnStride)
            : (piece.Columns, piece.DestinationColumnStride, piece.Rows, piece.DestinationRowStride);
        if (outer > 1 && inner > 1 && CheckedSize.Product(inner - 1, innerStride) >= outerStride)
        {
            throw new ArgumentException($"{inner} elements, {innerStride} apart, do not fit between two that are {outerStride} apart in the destination.");
        }
    }

    private static void RequireInside(string side, long rows, long columns, long offset, long rowStride, long columnStride, long elements)
    {
        if (rows < 0 || columns < 0 || offset < 0 || rowStride < 1 || columnStride < 1)
        {
            throw new ArgumentException($"A piece has {rows} rows, {columns} columns, {side} offset {offset}, strides {rowStride} and {columnStride}; sizes must not be negative, strides must be positive.");
        }

        if (rows == 0 || columns == 0)
        {
            return;
        }

        long last = CheckedSize.Sum(offset, CheckedSize.Product(rows - 1, rowStride), CheckedSize.Product(columns - 1, columnStride));
        if (last >= elements)
        {
            throw new ArgumentException($"A piece reaches element {last} of its {side}, which has {elements}.");
        }
    }
}
