// SPDX-License-Identifier: MIT
// Where tokens, padding and ones of the mask lie in a batch of unequal lengths.
using CatsOnnx.Generation;

namespace CatsOnnx.Tests.Unit.Host.Generation;

public sealed class BatchRowsTests
{
    [Fact]
    public void Left_padding_lets_all_end_together()
    {
        BatchRows rows = Rows(PaddingSide.Left, 1, 3, 2);
        Assert.Equal([2, 0, 1], [rows.First(0), rows.First(1), rows.First(2)]);
        Assert.Equal([0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1], Mask(rows));
        rows.Advance();
        Assert.Equal([2, 0, 1], [rows.First(0), rows.First(1), rows.First(2)]);
        Assert.Equal([2, 4, 3], [rows.Length(0), rows.Length(1), rows.Length(2)]);
        Assert.Equal([0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1], Mask(rows));
    }

    [Fact]
    public void Right_padding_lets_all_begin_together()
    {
        BatchRows rows = Rows(PaddingSide.Right, 1, 3, 2);
        Assert.Equal([1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0], Mask(rows));
        rows.Advance();
        Assert.Equal([0, 0, 0], [rows.First(0), rows.First(1), rows.First(2)]);
        Assert.Equal([1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0], Mask(rows));
    }

    [Fact]
    public void Kept_rows_are_as_wide_as_the_longest_of_them()
    {
        BatchRows rows = Rows(PaddingSide.Left, 1, 5, 2);
        Assert.False(rows.TooWide);
        BatchRows kept = rows.Keep([0, 2]);
        Assert.Equal((2, 2), (kept.Count, kept.Width));
        Assert.Equal([0, 1, 1, 1, 1, 1], Mask(kept));
        Assert.Equal((3, 5), (rows.Count, rows.Width));
    }

    [Fact]
    public void Rows_that_the_longest_sequence_did_not_join_are_too_wide()
    {
        BatchRows rows = new(PaddingSide.Left, 9);
        Assert.False(rows.TooWide);
        rows.Add(4);
        Assert.True(rows.TooWide);
        Assert.False(rows.Keep([0]).TooWide);
        Assert.Throws<ArgumentOutOfRangeException>(() => rows.Add(10));
    }

    [Theory]
    [InlineData(0, true, true, PaddingSide.Left, null)]
    [InlineData(0, true, false, PaddingSide.Left, "no input position_ids")]
    [InlineData(0, false, true, PaddingSide.Left, "no input attention_mask")]
    [InlineData(4, true, false, PaddingSide.Right, null)]
    [InlineData(4, true, true, PaddingSide.Right, null)]
    [InlineData(4, false, false, PaddingSide.Left, "no input attention_mask")]
    [InlineData(3, true, true, PaddingSide.Left, "3 of the 4 attention layers")]
    public void The_side_follows_from_the_attention_and_what_cannot_be_padded_says_why(
        int groupQueryNodes, bool mask, bool positions, object side, string? refusal)
    {
        BatchPadding padding = BatchPadding.Of(groupQueryNodes, 4, mask, positions);
        Assert.Equal(refusal is null, padding.Refusal is null);
        Assert.Contains(refusal ?? "", padding.Refusal ?? "");
        Assert.True(refusal is not null || padding.Side.Equals(side));
    }

    private static BatchRows Rows(PaddingSide side, params int[] lengths)
    {
        BatchRows rows = new(side, lengths.Max());
        foreach (int length in lengths)
        {
            rows.Add(length);
        }

        return rows;
    }

    private static int[] Mask(BatchRows rows)
    {
        int[] mask = new int[rows.Count * (rows.Width + 1)];
        Array.Fill(mask, 7);
        rows.WriteMask(mask);
        return mask;
    }
}
