// SPDX-License-Identifier: MIT
// Pieces by example: a transpose, a packed matrix cut in two, an interleaved one, and what is refused.
using System.Runtime.InteropServices;
using CatsOnnx.GraphRewriter.Storage;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Storage;

public sealed class StridedCopyTests
{
    private static readonly ModelFiles s_noFiles = new(null, null, false);

    [Fact]
    public void A_transpose_swaps_rows_and_columns()
    {
        TensorContent content = TensorContent.Transposed(Floats(1, 2, 3, 4, 5, 6), 2, 3, 4);

        Assert.Equal([1f, 4, 2, 5, 3, 6], Read(content));
    }

    [Fact]
    public void Interleaved_columns_come_apart_and_together_again()
    {
        TensorContent packed = Floats(1, 10, 2, 20, 3, 30, 4, 40);
        StridedPiece gate = new(packed, 4, 2, 2, 0, 4, 2, 0, 2, 1);
        StridedPiece up = gate with { SourceOffset = 1 };
        TensorContent.Pieces gates = new([gate], 16);
        TensorContent.Pieces ups = new([up], 16);
        Assert.Equal([1f, 2, 3, 4], Read(gates));
        Assert.Equal([10f, 20, 30, 40], Read(ups));

        TensorContent.Pieces together = new([gate.Inverse(Floats(Read(gates))), up.Inverse(Floats(Read(ups)))], 32);

        Assert.Equal([1f, 10, 2, 20, 3, 30, 4, 40], Read(together));
    }

    [Fact]
    public void Refuses_pieces_that_leave_their_tensors_or_do_not_cover_them()
    {
        TensorContent source = Floats(1, 2, 3, 4);

        Assert.Throws<ArgumentException>(() => new TensorContent.Pieces([new StridedPiece(source, 4, 2, 2, 1, 2, 1, 0, 2, 1)], 16));
        Assert.Throws<ArgumentException>(() => new TensorContent.Pieces([new StridedPiece(source, 4, 2, 2, 0, 2, 1, 1, 2, 1)], 16));
        Assert.Throws<ArgumentException>(() => new TensorContent.Pieces([new StridedPiece(source, 4, 1, 2, 0, 2, 1, 0, 2, 1)], 16));
        Assert.Throws<ArgumentException>(() => new TensorContent.Pieces([new StridedPiece(source, 4, 2, 2, 0, 2, 1, 0, 1, 1)], 16));
        Assert.Throws<ArgumentException>(() => new TensorContent.Pieces([new StridedPiece(source, 3, 2, 2, 0, 2, 1, 0, 2, 1)], 12));
    }

    [Fact]
    public void Sizes_overflow_into_an_error()
    {
        Assert.Throws<OverflowException>(() => CheckedSize.Product(1L << 40, 1L << 40));
        Assert.Throws<OverflowException>(() => CheckedSize.Sum(long.MaxValue, 1));
        Assert.Throws<OverflowException>(() => CheckedSize.AlignUp(long.MaxValue, 4096));
        Assert.Throws<OverflowException>(() => CheckedSize.Product(-1, 0));
        Assert.Equal(0, CheckedSize.Product(1L << 40, 0));
        Assert.Equal(3, CheckedSize.BytesOf(5, 4));
        Assert.Equal(2, CheckedSize.BytesOf(5, 2));
    }

    [Fact]
    public void Every_float16_and_bfloat16_pattern_is_told_finite_or_not()
    {
        for (int bits = 0; bits < 65536; bits++)
        {
            byte[] bytes = BitConverter.GetBytes((ushort)bits);
            Assert.Equal(Half.IsFinite(BitConverter.UInt16BitsToHalf((ushort)bits)), FiniteScan.IsFinite(bytes, 10));
            Assert.Equal(float.IsFinite(BitConverter.Int32BitsToSingle(bits << 16)), FiniteScan.IsFinite(bytes, 16));
        }

        double[] doubles = new double[37];
        Assert.True(FiniteScan.IsFinite(MemoryMarshal.AsBytes<double>(doubles), 11));
        doubles[20] = double.NaN;
        Assert.False(FiniteScan.IsFinite(MemoryMarshal.AsBytes<double>(doubles), 11));
    }

    private static TensorContent.Bytes Floats(params float[] values) => new(MemoryMarshal.AsBytes<float>(values).ToArray());

    private static float[] Read(TensorContent content)
    {
        byte[] bytes = new byte[content.Length];
        ContentReader.Read(s_noFiles, content, 0, bytes);
        return MemoryMarshal.Cast<byte, float>(bytes).ToArray();
    }
}
