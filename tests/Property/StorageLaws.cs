// SPDX-License-Identifier: MIT
// Laws of stored tensors, over random shapes: pieces equal the plain double loop in any window, and undo themselves.
using CatsOnnx.GraphRewriter.Storage;
using CsCheck;

namespace CatsOnnx.Tests.Property;

public sealed class StorageLaws
{
    private static readonly ModelFiles s_noFiles = new(null, null, false);

    /// <summary>A piece from a random matrix to a random place, with steps on both sides.</summary>
    private static readonly Gen<(StridedPiece Piece, long Length)> s_piece =
        from size in Gen.OneOfConst(1, 2, 4, 8)
        from rows in Gen.Int[1, 70]
        from columns in Gen.Int[1, 70]
        from sourceStep in Gen.Int[1, 3]
        from targetStep in Gen.Int[1, 3]
        from sourcePad in Gen.Int[0, 5]
        from targetPad in Gen.Int[0, 5]
        from sourceTurned in Gen.Bool
        from targetTurned in Gen.Bool
        from sourceOffset in Gen.Int[0, 9]
        from targetOffset in Gen.Int[0, 9]
        from seed in Gen.Int
        select Make(size, rows, columns, (sourceStep, sourcePad, sourceTurned, sourceOffset), (targetStep, targetPad, targetTurned, targetOffset), seed);

    [Fact]
    public void Any_window_of_a_piece_equals_the_plain_loop() =>
        Gen.Select(s_piece, Gen.Double.Unit, Gen.Double.Unit).Sample((made, a, b) =>
        {
            (StridedPiece piece, long length) = made;
            byte[] expected = Plain(piece, length);
            int from = (int)(Math.Min(a, b) * length);
            int to = (int)(Math.Max(a, b) * length);
            byte[] actual = new byte[to - from];
            StridedCopy.Read(s_noFiles, Whole(piece, length), from, actual);
            // elements that no piece writes are not looked at: they are zero in both
            Assert.Equal(expected.AsSpan(from, to - from).ToArray(), actual);
        }, iter: 3000);

    [Fact]
    public void A_transpose_twice_is_the_matrix_itself() =>
        Gen.Select(Gen.Int[1, 150], Gen.Int[1, 150], Gen.OneOfConst(1, 2, 4, 8), Gen.Int).Sample((rows, columns, size, seed) =>
        {
            byte[] bytes = new byte[rows * columns * size];
            new Random(seed).NextBytes(bytes);
            byte[] once = Read(TensorContent.Transposed(new TensorContent.Bytes(bytes), rows, columns, size));
            byte[] twice = Read(TensorContent.Transposed(new TensorContent.Bytes(once), columns, rows, size));
            Assert.Equal(bytes, twice);
        }, iter: 1000);

    [Fact]
    public void Packed_columns_come_apart_and_together_again() =>
        Gen.Select(Gen.Int[1, 60], Gen.Int[1, 60], Gen.OneOfConst(1, 2, 4, 8), Gen.Bool, Gen.Int).Sample((rows, half, size, interleaved, seed) =>
        {
            byte[] bytes = new byte[rows * half * 2 * size];
            new Random(seed).NextBytes(bytes);
            TensorContent packed = new TensorContent.Bytes(bytes);
            StridedPiece[] parts = [.. Enumerable.Range(0, 2).Select(i => interleaved
                ? new StridedPiece(packed, size, rows, half, i, 2 * half, 2, 0, 1, rows)
                : new StridedPiece(packed, size, rows, half, i * half, 2 * half, 1, 0, 1, rows))];
            long length = (long)rows * half * size;
            TensorContent[] apart = [.. parts.Select(part => new TensorContent.Bytes(Read(new TensorContent.Pieces([part], length))))];
            TensorContent.Pieces together = new([parts[0].Inverse(apart[0]), parts[1].Inverse(apart[1])], bytes.Length);
            Assert.Equal(bytes, Read(together));
        }, iter: 1000);

    private static (StridedPiece Piece, long Length) Make(
        int size, int rows, int columns, (int Step, int Pad, bool Turned, int Offset) source, (int Step, int Pad, bool Turned, int Offset) target, int seed)
    {
        (long sourceRow, long sourceColumn) = Strides(source.Step, source.Pad, source.Turned);
        (long targetRow, long targetColumn) = Strides(target.Step, target.Pad, target.Turned);
        long sourceLength = source.Offset + ((rows - 1) * sourceRow) + ((columns - 1) * sourceColumn) + 1;
        long targetLength = target.Offset + ((rows - 1) * targetRow) + ((columns - 1) * targetColumn) + 1;
        byte[] bytes = new byte[sourceLength * size];
        new Random(seed).NextBytes(bytes);
        StridedPiece piece = new(new TensorContent.Bytes(bytes), size, rows, columns, source.Offset, sourceRow, sourceColumn, target.Offset, targetRow, targetColumn);
        return (piece, targetLength * size);

        (long Row, long Column) Strides(int step, int pad, bool turned) => turned ? (step, (rows * step) + pad) : ((columns * step) + pad, step);
    }

    /// <summary>The piece as a tensor: what it leaves open is filled by pieces of zeros, one element each.</summary>
    private static TensorContent.Pieces Whole(StridedPiece piece, long length)
    {
        HashSet<long> written = [];
        for (long r = 0; r < piece.Rows; r++)
        {
            for (long c = 0; c < piece.Columns; c++)
            {
                written.Add(piece.DestinationOffset + (r * piece.DestinationRowStride) + (c * piece.DestinationColumnStride));
            }
        }

        TensorContent zero = new TensorContent.Bytes(new byte[piece.ElementSize]);
        IEnumerable<StridedPiece> open = from at in LongRange(length / piece.ElementSize)
                                         where !written.Contains(at)
                                         select new StridedPiece(zero, piece.ElementSize, 1, 1, 0, 1, 1, at, 1, 1);
        return new TensorContent.Pieces([piece, .. open], length);
    }

    private static IEnumerable<long> LongRange(long count)
    {
        for (long i = 0; i < count; i++)
        {
            yield return i;
        }
    }

    private static byte[] Plain(StridedPiece p, long length)
    {
        byte[] result = new byte[length];
        ReadOnlySpan<byte> source = ((TensorContent.Bytes)p.Source).Memory.Span;
        for (long r = 0; r < p.Rows; r++)
        {
            for (long c = 0; c < p.Columns; c++)
            {
                long from = p.SourceOffset + (r * p.SourceRowStride) + (c * p.SourceColumnStride);
                long to = p.DestinationOffset + (r * p.DestinationRowStride) + (c * p.DestinationColumnStride);
                source.Slice((int)from * p.ElementSize, p.ElementSize).CopyTo(result.AsSpan((int)to * p.ElementSize));
            }
        }

        return result;
    }

    private static byte[] Read(TensorContent content)
    {
        byte[] bytes = new byte[content.Length];
        ContentReader.Read(s_noFiles, content, 0, bytes);
        return bytes;
    }
}
