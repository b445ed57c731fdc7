// SPDX-License-Identifier: MIT
using CatsOnnx.Evaluation.Speed;

namespace CatsOnnx.Tests.Unit.Evaluation.Speed;

public sealed class PairedTimingTests
{
    [Fact]
    public void The_ratio_is_the_median_of_the_pairs_so_one_disturbed_pair_does_not_count()
    {
        PairedTiming timing = PairedTiming.Of([20, 20, 20, 20, 400], [10, 10, 10, 10, 10]);
        Assert.Equal(2, timing.Ratio);
        Assert.Equal(20, timing.BaselineMilliseconds);
        Assert.Equal(10, timing.CandidateMilliseconds);
        Assert.Equal(5, timing.Pairs);
    }

    [Fact]
    public void A_machine_that_slows_down_for_both_changes_no_ratio()
    {
        PairedTiming timing = PairedTiming.Of([15, 30, 60, 120], [10, 20, 40, 80]);
        Assert.Equal(1.5, timing.Ratio);
        Assert.Equal(1.5, timing.LowerRatio);
        Assert.Equal(1.5, timing.UpperRatio);
    }

    [Fact]
    public void Both_run_equally_often_and_take_turns_to_be_first()
    {
        string order = "";
        PairedTiming.Measure(() => order += "b", () => order += "c", pairs: 4, warmup: 1);
        Assert.Equal("bc" + "bc" + "cb" + "bc" + "cb", order);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(.25, 2)]
    [InlineData(.5, 3)]
    [InlineData(.625, 3.5)]
    [InlineData(1, 5)]
    public void Quantiles_are_interpolated(double share, double expected) =>
        Assert.Equal(expected, PairedTiming.Quantile([5, 4, 3, 2, 1], share), 12);

    [Fact]
    public void Times_that_make_no_pairs_are_refused()
    {
        Assert.Throws<ArgumentException>(() => PairedTiming.Of([1, 2], [1]));
        Assert.Throws<ArgumentException>(() => PairedTiming.Of([], []));
    }
}
