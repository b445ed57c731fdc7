// SPDX-License-Identifier: MIT
// How often each size of gate activation occurred, in bins that GateObserver and every machine agree on.
namespace CatsOnnx.Calibration;

/// <summary>
/// Counts of absolute gate activations (times a neuron's weight, where there is one) in 32,768 bins: the bin of a
/// value is its float32 bits without the sign, shifted right by 16, so there are 128 bins to a power of two.
/// NaN counts in the last bin. Counts are exact, so histograms of parts of a text add up to the histogram of the text.
/// </summary>
public sealed class GateHistogram
{
    /// <summary>The number of bins.</summary>
    public const int BinCount = 32768;

    // The bin of +infinity; every bin from here on holds no finite value.
    private const int FirstNonFiniteBin = 0x7F80;

    private readonly long[] _counts = new long[BinCount];

    /// <summary>An empty histogram.</summary>
    public GateHistogram()
    {
    }

    /// <summary>A histogram with these counts.</summary>
    /// <param name="counts">[<see cref="BinCount"/>], none negative.</param>
    /// <exception cref="ArgumentException">There are not <see cref="BinCount"/> counts, or one is negative.</exception>
    public GateHistogram(ReadOnlySpan<long> counts) => Add(counts);

    /// <summary>The counts: [<see cref="BinCount"/>].</summary>
    public ReadOnlySpan<long> Counts => _counts;

    /// <summary>Values counted.</summary>
    public long Total { get; private set; }

    /// <summary>Values counted that are infinite or not numbers.</summary>
    public long NonFinite
    {
        get
        {
            long sum = 0;
            foreach (long count in _counts.AsSpan(FirstNonFiniteBin))
            {
                sum += count;
            }

            return sum;
        }
    }

    /// <summary>The bin that counts <paramref name="value"/>: GateObserver's rule.</summary>
    /// <param name="value">Any float; its sign is ignored.</param>
    public static int BinOf(float value)
        => float.IsNaN(value) ? BinCount - 1 : (int)((BitConverter.SingleToUInt32Bits(value) & 0x7FFF_FFFF) >> 16);

    /// <summary>The smallest value of a bin.</summary>
    /// <param name="bin">0 to <see cref="BinCount"/> - 1.</param>
    public static float LowerEdge(int bin)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bin);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(bin, BinCount);
        return BitConverter.UInt32BitsToSingle((uint)bin << 16);
    }

    /// <summary>Counts one value.</summary>
    /// <param name="value">An activation; its sign is ignored.</param>
    public void Add(float value)
    {
        _counts[BinOf(value)]++;
        Total++;
    }

    /// <summary>Adds counts of the same bins.</summary>
    /// <param name="counts">[<see cref="BinCount"/>], none negative.</param>
    /// <exception cref="ArgumentException">There are not <see cref="BinCount"/> counts, or one is negative.</exception>
    public void Add(ReadOnlySpan<long> counts)
    {
        if (counts.Length != BinCount)
        {
            throw new ArgumentException($"A histogram has {BinCount} counts; {counts.Length} were given.", nameof(counts));
        }

        for (int bin = 0; bin < BinCount; bin++)
        {
            if (counts[bin] < 0)
            {
                throw new ArgumentException($"Count {bin} of a histogram is {counts[bin]}; counts are not negative.", nameof(counts));
            }
        }

        for (int bin = 0; bin < BinCount; bin++)
        {
            _counts[bin] = checked(_counts[bin] + counts[bin]);
            Total = checked(Total + counts[bin]);
        }
    }

    /// <summary>Adds all that another histogram counted.</summary>
    /// <param name="other">A histogram of other values of the same kind.</param>
    public void Merge(GateHistogram other)
    {
        ArgumentNullException.ThrowIfNull(other);
        Add(other.Counts);
    }

    /// <summary>
    /// The value of rank floor(fraction * (n - 1)) of the n values in ascending order. Inside its bin the values are
    /// taken to lie at equal distances: the j-th of c values at (j + 1/2) / c of the bin.
    /// </summary>
    /// <param name="fraction">0 to 1.</param>
    /// <returns>A finite value, not negative, inside the bin of the true one.</returns>
    /// <exception cref="ArgumentOutOfRangeException">fraction is not within 0 to 1.</exception>
    /// <exception cref="InvalidOperationException">The histogram is empty, or the value is infinite or not a number.</exception>
    public float Quantile(double fraction)
    {
        if (!(fraction is >= 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(fraction), fraction, $"A quantile lies within 0 to 1, not at {fraction}.");
        }

        if (Total == 0)
        {
            throw new InvalidOperationException("An empty histogram has no quantile.");
        }

        long rank = (long)(fraction * (Total - 1));
        int bin = 0;
        long below = 0;
        while (below + _counts[bin] <= rank)
        {
            below += _counts[bin++];
        }

        if (bin >= FirstNonFiniteBin)
        {
            throw new InvalidOperationException(
                $"{NonFinite} of {Total} activations are infinite or not numbers, so the value at {fraction} is none.");
        }

        return Within(bin, (rank - below + 0.5) / _counts[bin]);
    }

    /// <summary>The share of values below <paramref name="threshold"/>, the values of its bin taken to lie as <see cref="Quantile"/> has them.</summary>
    /// <param name="threshold">Not negative, not NaN.</param>
    /// <returns>0 to 1; 0 for an empty histogram.</returns>
    /// <exception cref="ArgumentOutOfRangeException">threshold is negative or NaN.</exception>
    public double FractionBelow(float threshold)
    {
        if (!(threshold >= 0))
        {
            throw new ArgumentOutOfRangeException(nameof(threshold), threshold, $"A threshold is 0 or above, not {threshold}.");
        }

        if (Total == 0)
        {
            return 0;
        }

        int bin = BinOf(threshold);
        long below = 0;
        foreach (long count in _counts.AsSpan(0, bin))
        {
            below += count;
        }

        double part = bin < FirstNonFiniteBin
            ? ((double)threshold - LowerEdge(bin)) / ((double)UpperEdge(bin) - LowerEdge(bin))
            : 0;
        return (below + part * _counts[bin]) / Total;
    }

    // The upper edge of a finite bin: 2^128 above the largest floats, as a double.
    private static double UpperEdge(int bin)
        => bin + 1 < FirstNonFiniteBin ? LowerEdge(bin + 1) : Math.ScaleB(1.0, 128);

    private static float Within(int bin, double part)
    {
        double lower = LowerEdge(bin);
        float value = (float)(lower + part * (UpperEdge(bin) - lower));

        // Rounding to float must not leave the bin: sparsity is promised within one.
        return BinOf(value) <= bin ? value : BitConverter.UInt32BitsToSingle(((uint)bin << 16) | 0xFFFF);
    }
}
