// SPDX-License-Identifier: MIT
// Laws of gate histograms over random activations.
using CatsOnnx.Calibration;
using CsCheck;

namespace CatsOnnx.Tests.Property;

public sealed class HistogramLaws
{
    // Activations as models have them: many small ones, some exact zeros, some large; and any float at all.
    private static readonly Gen<float> Activation = Gen.Frequency(
        (6, Gen.Double[-12, 4].Select(Gen.Bool, (power, negative) => (float)(negative ? -Math.Exp(power) : Math.Exp(power)))),
        (1, Gen.Const(0f)),
        (1, Gen.Single.Where(float.IsFinite)));

    private static readonly Gen<float[]> Activations = Activation.Array[1, 200];

    [Fact]
    public void Merging_is_associative_commutative_and_equal_to_counting_at_once()
        => Gen.Select(Activations, Activations, Activations).Sample((a, b, c) =>
        {
            GateHistogram atOnce = Of([.. a, .. b, .. c]);
            GateHistogram left = Merged(Merged(Of(a), Of(b)), Of(c));
            GateHistogram right = Merged(Of(a), Merged(Of(b), Of(c)));
            GateHistogram reversed = Merged(Of(c), Merged(Of(b), Of(a)));
            return atOnce.Counts.SequenceEqual(left.Counts) && atOnce.Counts.SequenceEqual(right.Counts)
                && atOnce.Counts.SequenceEqual(reversed.Counts) && atOnce.Total == left.Total && atOnce.Total == reversed.Total;
        }, iter: 100);

    [Fact]
    public void A_quantile_lies_in_the_bin_of_the_value_of_its_rank()
        => Gen.Select(Activations, Gen.Double[0, 1]).Sample((values, fraction) =>
        {
            float[] sorted = [.. values.Select(Math.Abs).Order()];
            float exact = sorted[(int)(fraction * (sorted.Length - 1))];
            return GateHistogram.BinOf(Of(values).Quantile(fraction)) == GateHistogram.BinOf(exact);
        }, iter: 1000);

    [Fact]
    public void The_chosen_quantile_gives_the_target_sparsity_within_one_bin()
        => Gen.Select(Activations, Gen.Double[0, 1]).Sample((values, sparsity) =>
        {
            float threshold = Of(values).Quantile(sparsity);
            int bin = GateHistogram.BinOf(threshold);
            double dropped = values.Count(value => Math.Abs(value) < threshold) / (double)values.Length;
            double inBin = values.Count(value => GateHistogram.BinOf(value) == bin) / (double)values.Length;
            
            // The rank itself is rounded down to a value: one value more.
            return Math.Abs(dropped - sparsity) <= inBin + 1.0 / values.Length + 1e-12;
        }, iter: 1000);

    [Fact]
    public void The_fraction_below_a_quantile_is_the_fraction_asked_for_within_one_and_a_half_values()
        => Gen.Select(Activations, Gen.Double[0, 1]).Sample((values, fraction) =>
        {
            GateHistogram histogram = Of(values);
            return Math.Abs(histogram.FractionBelow(histogram.Quantile(fraction)) - fraction) <= 1.5 / values.Length + 1e-12;
        }, iter: 1000);

    [Fact]
    public void Quantiles_do_not_fall()
        => Gen.Select(Activations, Gen.Double[0, 1], Gen.Double[0, 1]).Sample((values, one, other) =>
        {
            GateHistogram histogram = Of(values);
            return histogram.Quantile(Math.Min(one, other)) <= histogram.Quantile(Math.Max(one, other));
        }, iter: 1000);

    private static GateHistogram Of(float[] values)
    {
        GateHistogram histogram = new();
        foreach (float value in values)
        {
            histogram.Add(value);
        }

        return histogram;
    }

    private static GateHistogram Merged(GateHistogram into, GateHistogram from)
    {
        into.Merge(from);
        return into;
    }
}
