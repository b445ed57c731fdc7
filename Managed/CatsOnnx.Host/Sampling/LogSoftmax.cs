// SPDX-License-Identifier: MIT
// Log-probabilities and divergences from rows of logits: float32 in, sums in double, vectorised.
using System.Numerics;
using System.Runtime.InteropServices;

namespace CatsOnnx.Sampling;

/// <summary>What a row of logits comes to.</summary>
/// <param name="Max">The largest logit.</param>
/// <param name="ArgMax">The id of the largest logit, the first of equals.</param>
/// <param name="LogSum">log(sum of exp(logit - Max)), 0 or above.</param>
public readonly record struct RowStatistics(float Max, int ArgMax, double LogSum)
{
    /// <summary>The log-probability of an id.</summary>
    /// <param name="row">[vocab_size]: the logits that these statistics are of.</param>
    /// <param name="id">0 to vocab_size - 1.</param>
    /// <returns>In nats: 0 or below, -infinity where the logit is.</returns>
    public double LogProbability(ReadOnlySpan<float> row, int id) => (double)row[id] - Max - LogSum;
}

/// <summary>Log-softmax without writing it down.</summary>
public static class LogSoftmax
{
    /// <summary>Reads a row of logits twice: for its largest, then for the sum of exponentials.</summary>
    /// <param name="row">[vocab_size], at least one logit.</param>
    /// <returns>What the log-probability of any id of the row needs.</returns>
    /// <exception cref="InvalidDataException">A logit is NaN or +infinity, or all are -infinity.</exception>
    public static RowStatistics Measure(ReadOnlySpan<float> row)
    {
        if (row.IsEmpty)
        {
            throw new InvalidDataException("A row of logits is empty.");
        }

        float max = Max(row);
        double sum = 0;
        if (float.IsFinite(max))
        {
            ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(row);
            Vector<double> shift = new(max);
            Vector<double> sums = Vector<double>.Zero;
            foreach (Vector<float> logits in vectors)
            {
                Vector.Widen(logits, out Vector<double> low, out Vector<double> high);
                sums += Vector.Exp(low - shift) + Vector.Exp(high - shift);
            }

            sum = Vector.Sum(sums);
            foreach (float logit in row[(vectors.Length * Vector<float>.Count)..])
            {
                sum += Math.Exp((double)logit - max);
            }
        }

        return double.IsFinite(sum) && sum > 0
            ? new(max, row.IndexOf(max), Math.Log(sum))
            : throw new InvalidDataException(
                $"A row of {row.Length} logits has no probabilities: its largest is {max}, the sum of exponentials {sum}.");
    }

    /// <summary>The Kullback-Leibler divergence sum p (log p - log q) in nats.</summary>
    /// <param name="p">[vocab_size]: logits of the distribution that is the truth.</param>
    /// <param name="pStatistics">The statistics of <paramref name="p"/>.</param>
    /// <param name="q">[vocab_size]: logits of the distribution that stands in for it.</param>
    /// <param name="qStatistics">The statistics of <paramref name="q"/>.</param>
    /// <returns>0 or above, but for rounding.</returns>
    /// <exception cref="ArgumentException">The rows differ in length.</exception>
    public static double Divergence(
        ReadOnlySpan<float> p, in RowStatistics pStatistics, ReadOnlySpan<float> q, in RowStatistics qStatistics)
    {
        if (p.Length != q.Length)
        {
            throw new ArgumentException($"Rows of {p.Length} and {q.Length} logits cannot be compared.", nameof(q));
        }

        ReadOnlySpan<Vector<float>> ps = MemoryMarshal.Cast<float, Vector<float>>(p);
        ReadOnlySpan<Vector<float>> qs = MemoryMarshal.Cast<float, Vector<float>>(q);
        Vector<double> pShift = new(pStatistics.Max);
        Vector<double> qShift = new(qStatistics.Max);
        Vector<double> sums = Vector<double>.Zero;
        for (int index = 0; index < ps.Length; index++)
        {
            Vector.Widen(ps[index], out Vector<double> pLow, out Vector<double> pHigh);
            Vector.Widen(qs[index], out Vector<double> qLow, out Vector<double> qHigh);
            sums += Terms(pLow - pShift, qLow - qShift) + Terms(pHigh - pShift, qHigh - qShift);
        }

        double sum = Vector.Sum(sums);
        for (int index = ps.Length * Vector<float>.Count; index < p.Length; index++)
        {
            double logP = (double)p[index] - pStatistics.Max;
            double weight = Math.Exp(logP);
            sum += weight > 0 ? weight * (logP - ((double)q[index] - qStatistics.Max)) : 0;
        }

        // p = exp(logP) / exp(LogSum): the two normalisers leave the sum.
        return sum * Math.Exp(-pStatistics.LogSum) - pStatistics.LogSum + qStatistics.LogSum;
    }

    // exp(logP) * (logP - logQ), 0 where p is 0 (a logit of -infinity).
    private static Vector<double> Terms(Vector<double> logP, Vector<double> logQ)
    {
        Vector<double> weight = Vector.Exp(logP);
        return Vector.ConditionalSelect(Vector.GreaterThan(weight, Vector<double>.Zero), weight * (logP - logQ), Vector<double>.Zero);
    }

    // The largest logit; NaN may be passed over, the sum of exponentials then shows it.
    private static float Max(ReadOnlySpan<float> row)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(row);
        Vector<float> largest = new(float.NegativeInfinity);
        foreach (Vector<float> logits in vectors)
        {
            largest = Vector.Max(largest, logits);
        }

        float max = float.NegativeInfinity;
        for (int lane = 0; lane < Vector<float>.Count; lane++)
        {
            max = Math.Max(max, largest[lane]);
        }

        foreach (float logit in row[(vectors.Length * Vector<float>.Count)..])
        {
            max = Math.Max(max, logit);
        }

        return max;
    }
}
