// SPDX-License-Identifier: MIT
// Two ways of doing the same, timed turn by turn in one run: what a noisy machine does to one it does to the other.
using System.Diagnostics;

namespace CatsOnnx.Evaluation.Speed;

/// <summary>Times of a baseline and a candidate that were run turn by turn.</summary>
/// <param name="BaselineMilliseconds">Median of the baseline.</param>
/// <param name="CandidateMilliseconds">Median of the candidate.</param>
/// <param name="Ratio">Median over the pairs of baseline time / candidate time; above 1 the candidate is faster.</param>
/// <param name="LowerRatio">First quartile of the pairs' ratios.</param>
/// <param name="UpperRatio">Third quartile of the pairs' ratios.</param>
/// <param name="Pairs">Pairs timed.</param>
public sealed record PairedTiming(
    double BaselineMilliseconds, double CandidateMilliseconds, double Ratio, double LowerRatio, double UpperRatio, int Pairs)
{
    /// <summary>Runs both <paramref name="warmup"/> times unmeasured, then <paramref name="pairs"/> times measured, swapping
    /// who goes first from pair to pair.</summary>
    /// <param name="baseline">What is compared with.</param>
    /// <param name="candidate">What is compared.</param>
    /// <param name="pairs">Runs of each that count, at least one.</param>
    /// <param name="warmup">Runs of each before these.</param>
    /// <param name="cancellation">Ends it between two runs.</param>
    /// <returns>Medians in milliseconds, and the pairs' ratios.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="pairs"/> is below 1.</exception>
    public static PairedTiming Measure(
        Action baseline, Action candidate, int pairs, int warmup = 2, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(baseline);
        ArgumentNullException.ThrowIfNull(candidate);
        ArgumentOutOfRangeException.ThrowIfLessThan(pairs, 1);
        for (int i = 0; i < warmup; i++)
        {
            baseline();
            candidate();
        }

        double[] baselines = new double[pairs];
        double[] candidates = new double[pairs];
        for (int i = 0; i < pairs; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (i % 2 == 0)
            {
                baselines[i] = Milliseconds(baseline);
                candidates[i] = Milliseconds(candidate);
            }
            else
            {
                candidates[i] = Milliseconds(candidate);
                baselines[i] = Milliseconds(baseline);
            }
        }

        return Of(baselines, candidates);
    }

    /// <summary>Summarises times in milliseconds that were taken in pairs.</summary>
    /// <param name="baselines">[pairs].</param>
    /// <param name="candidates">[pairs]; entry i was taken beside entry i of the baselines.</param>
    /// <exception cref="ArgumentException">The two are empty or of different length.</exception>
    public static PairedTiming Of(IReadOnlyList<double> baselines, IReadOnlyList<double> candidates)
    {
        ArgumentNullException.ThrowIfNull(baselines);
        ArgumentNullException.ThrowIfNull(candidates);
        if (baselines.Count == 0 || baselines.Count != candidates.Count)
        {
            throw new ArgumentException($"{baselines.Count} baseline times and {candidates.Count} candidate times make no pairs.");
        }

        double[] ratios = [.. baselines.Zip(candidates, (baseline, candidate) => baseline / candidate)];
        return new PairedTiming(
            Quantile(baselines, .5), Quantile(candidates, .5), Quantile(ratios, .5), Quantile(ratios, .25), Quantile(ratios, .75), ratios.Length);
    }

    /// <summary>Quantile <paramref name="share"/> of the values, interpolated.</summary>
    /// <param name="values">In any order, at least one.</param>
    /// <param name="share">0 (the least) to 1 (the largest).</param>
    public static double Quantile(IReadOnlyList<double> values, double share)
    {
        ArgumentNullException.ThrowIfNull(values);
        double[] sorted = [.. values.Order()];
        double position = share * (sorted.Length - 1);
        int below = (int)position;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((position - below) * (sorted[above] - sorted[below]));
    }

    private static double Milliseconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
