// SPDX-License-Identifier: MIT
// Whatever joins, goes on and leaves: a row's ones are its tokens and the new one, in one piece, on its side.
using CatsOnnx.Generation;
using CsCheck;

namespace CatsOnnx.Tests.Property.Host;

public sealed class BatchRowsLaws
{
    [Fact]
    public void Masks_show_each_sequence_and_nothing_else_whatever_leaves() =>
        Gen.Select(Gen.Bool, Gen.Int[1, 20].Array[1, 6], Gen.Int[0, 5].Array[0, 30]).Sample((left, lengths, leaving) =>
        {
            BatchRows rows = new(left ? PaddingSide.Left : PaddingSide.Right, lengths.Max());
            List<int> expected = [.. lengths];
            Array.ForEach(lengths, rows.Add);
            foreach (int leaves in leaving)
            {
                Check(rows, expected, left);
                rows.Advance();
                expected = [.. expected.Select(length => length + 1)];
                if (leaves < rows.Count && rows.Count > 1)
                {
                    rows = rows.Keep([.. Enumerable.Range(0, rows.Count).Where(row => row != leaves)]);
                    expected.RemoveAt(leaves);
                }
            }

            Check(rows, expected, left);
        });

    private static void Check(BatchRows rows, List<int> expected, bool left)
    {
        int width = expected.Max() + 1;
        int[] mask = new int[expected.Count * width];
        rows.WriteMask(mask);
        Assert.Equal(width, rows.Width + 1);
        for (int row = 0; row < expected.Count; row++)
        {
            int padding = width - expected[row] - 1;
            IEnumerable<int> zeros = Enumerable.Repeat(0, padding);
            IEnumerable<int> ones = Enumerable.Repeat(1, expected[row] + 1);
            Assert.Equal(left ? zeros.Concat(ones) : ones.Concat(zeros), mask.Skip(row * width).Take(width));
            Assert.Equal(expected[row], rows.Length(row));
            Assert.Equal(left ? padding : 0, rows.First(row));
        }
    }
}
