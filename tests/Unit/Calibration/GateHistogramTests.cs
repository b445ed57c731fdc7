// SPDX-License-Identifier: MIT
// Bins, quantiles and their inverse.
using CatsOnnx.Calibration;

namespace CatsOnnx.Tests.Unit.Calibration;

public sealed class GateHistogramTests
{
    [Theory]
    [InlineData(0f, 0)]
    [InlineData(1f, 0x3F80)]
    [InlineData(-1f, 0x3F80)]
    [InlineData(1.0078125f, 0x3F81)]
    [InlineData(float.MaxValue, 0x7F7F)]
    [InlineData(float.PositiveInfinity, 0x7F80)]
    [InlineData(float.NegativeInfinity, 0x7F80)]
    [InlineData(float.NaN, 0x7FFF)]
    public void A_bin_is_the_upper_half_of_the_absolute_float(float value, int bin)
        => Assert.Equal(bin, GateHistogram.BinOf(value));

    [Fact]
    public void A_quantile_of_values_spread_evenly_is_close_to_the_true_one()
    {
        GateHistogram histogram = new();
        float[] values = [.. Enumerable.Range(0, 100_000).Select(i => i / 100_000f)];
        foreach (float value in values)
        {
            histogram.Add(value);
        }

        foreach (double fraction in new[] { 0.1, 0.5, 0.7, 0.9, 0.99 })
        {
            float expected = values[(int)(fraction * (values.Length - 1))];
            Assert.Equal(expected, histogram.Quantile(fraction), 2e-5f);
            Assert.Equal(fraction, histogram.FractionBelow(histogram.Quantile(fraction)), 2e-5);
        }
    }

    [Fact]
    public void A_single_value_is_found_in_its_bin()
    {
        GateHistogram histogram = new();
        histogram.Add(-0.3f);
        Assert.Equal(GateHistogram.BinOf(0.3f), GateHistogram.BinOf(histogram.Quantile(0)));
        Assert.Equal(histogram.Quantile(0), histogram.Quantile(1));
        Assert.Equal(0, histogram.FractionBelow(0.1f));
        Assert.Equal(1, histogram.FractionBelow(1f));
        Assert.Equal(1, histogram.FractionBelow(float.PositiveInfinity));
    }

    [Fact]
    public void The_largest_finite_bin_gives_finite_quantiles()
    {
        GateHistogram histogram = new();
        histogram.Add(float.MaxValue);
        Assert.Equal(0x7F7F, GateHistogram.BinOf(histogram.Quantile(1)));
    }

    [Fact]
    public void A_quantile_that_is_no_number_is_refused_with_the_count()
    {
        GateHistogram histogram = new();
        histogram.Add(1f);
        histogram.Add(float.NaN);
        histogram.Add(float.PositiveInfinity);
        Assert.Equal(2, histogram.NonFinite);
        Assert.Equal(0x3F80, GateHistogram.BinOf(histogram.Quantile(0.4)));
        Assert.Contains("2 of 3", Assert.Throws<InvalidOperationException>(() => histogram.Quantile(0.6)).Message);
    }

    [Fact]
    public void Wrong_arguments_are_refused()
    {
        GateHistogram histogram = new();
        Assert.Throws<InvalidOperationException>(() => histogram.Quantile(0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => histogram.Quantile(1.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => histogram.Quantile(double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => histogram.FractionBelow(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => histogram.FractionBelow(float.NaN));
        Assert.Contains("5", Assert.Throws<ArgumentException>(() => histogram.Add(new long[5])).Message);
        long[] negative = new long[GateHistogram.BinCount];
        negative[7] = -1;
        Assert.Contains("-1", Assert.Throws<ArgumentException>(() => histogram.Add(negative)).Message);
        Assert.Equal(0, histogram.Total);
    }
}
