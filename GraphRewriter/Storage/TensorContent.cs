// SPDX-License-Identifier: MIT
// What a tensor's bytes are or will be: a range of a file, bytes in memory, or pieces of other tensors laid out anew.
namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>The bytes of one tensor, described and not read: raw little-endian elements, row-major.</summary>
internal abstract record TensorContent
{
    private TensorContent()
    {
    }

    /// <summary>Number of bytes.</summary>
    public abstract long Length { get; }

    /// <summary>The bytes lie in a file.</summary>
    /// <param name="Location">Where they lie.</param>
    public sealed record Stored(TensorLocation Location) : TensorContent
    {
        /// <inheritdoc/>
        public override long Length => Location.Length;
    }

    /// <summary>The bytes are in memory.</summary>
    /// <param name="Memory">The bytes.</param>
    public sealed record Bytes(ReadOnlyMemory<byte> Memory) : TensorContent
    {
        /// <inheritdoc/>
        public override long Length => Memory.Length;
    }

    /// <summary>The bytes are elements of other tensors in another order; a transpose, a split and an interleave are all pieces.</summary>
    public sealed record Pieces : TensorContent
    {
        /// <summary>Creates the content; together the pieces must write each of its elements exactly once.</summary>
        /// <param name="items">The pieces, all with one element size.</param>
        /// <param name="length">Number of bytes of the whole tensor.</param>
        /// <exception cref="ArgumentException">A piece lies outside its source or outside the tensor, or the pieces do not cover it.</exception>
        public Pieces(IReadOnlyList<StridedPiece> items, long length)
        {
            ArgumentNullException.ThrowIfNull(items);
            ArgumentOutOfRangeException.ThrowIfNegative(length);
            StridedPiece.RequireCover(items, length);
            Items = items;
            Length = length;
        }

        /// <summary>The pieces.</summary>
        public IReadOnlyList<StridedPiece> Items { get; }

        /// <inheritdoc/>
        public override long Length { get; }
    }

    /// <summary>The bytes are computed when they are written.</summary>
    internal sealed record Computed : TensorContent
    {
        /// <param name="length">Number of bytes.</param>
        /// <param name="fill">Fills a window that starts at the given byte; the same bytes each time.</param>
        public Computed(long length, FillWindow fill)
        {
            Length = length;
            Fill = fill;
        }

        /// <inheritdoc/>
        public override long Length { get; }

        /// <summary>Fills a window.</summary>
        public FillWindow Fill { get; }
    }

    /// <summary>Fills a window of a tensor.</summary>
    internal delegate void FillWindow(long offset, Span<byte> destination);

    /// <summary>The transpose of a matrix.</summary>
    /// <param name="source">The bytes of [rows, columns], row-major.</param>
    /// <param name="rows">Rows of the source.</param>
    /// <param name="columns">Columns of the source.</param>
    /// <param name="elementSize">Bytes of one element: 1, 2, 4 or 8.</param>
    /// <returns>The bytes of [columns, rows], row-major.</returns>
    public static TensorContent Transposed(TensorContent source, long rows, long columns, int elementSize) =>
        new Pieces(
            [new StridedPiece(source, elementSize, rows, columns, 0, columns, 1, 0, 1, rows)],
            CheckedSize.Product(rows, columns, elementSize));
}
