// SPDX-License-Identifier: MIT
// Log-probabilities and divergences against sums written out in double.
using CatsOnnx.Sampling;

namespace CatsOnnx.Tests.Unit.Host.Sampling;

public sealed class LogSoftmaxTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(33)]
    [InlineData(4096)]
    public void Log_probabilities_equal_the_written_out_sum(int size)
    {
        float[] row = Row(size, seed: size);
        RowStatistics statistics = LogSoftmax.Measure(row);
        double sum = row.Sum(logit => Math.Exp(logit));
        for (int id = 0; id < size; id += 1 + size / 9)
        {
            Assert.Equal(row[id] - Math.Log(sum), statistics.LogProbability(row, id), 1e-12);
        }

        Assert.Equal(row.Max(), row[statistics.ArgMax]);
    }

    [Fact]
    public void Large_logits_do_not_overflow()
    {
        RowStatistics statistics = LogSoftmax.Measure([1e30f, 1e30f, -1e30f]);
        Assert.Equal(-Math.Log(2), statistics.LogProbability([1e30f, 1e30f, -1e30f], 1), 1e-12);
        Assert.Equal(0, statistics.ArgMax);
    }

    [Theory]
    [InlineData(9)]
    [InlineData(100)]
    public void Divergence_equals_the_written_out_sum(int size)
    {
        float[] p = Row(size, 1);
        float[] q = Row(size, 2);
        double pSum = p.Sum(logit => Math.Exp(logit));
        double qSum = q.Sum(logit => Math.Exp(logit));
        double expected = Enumerable.Range(0, size).Sum(id =>
            Math.Exp(p[id]) / pSum * (p[id] - Math.Log(pSum) - q[id] + Math.Log(qSum)));
        Assert.Equal(expected, LogSoftmax.Divergence(p, LogSoftmax.Measure(p), q, LogSoftmax.Measure(q)), 1e-12);
        Assert.Equal(0, LogSoftmax.Divergence(p, LogSoftmax.Measure(p), p, LogSoftmax.Measure(p)), 1e-12);
    }

    [Fact]
    public void Ids_of_probability_0_add_nothing_to_the_divergence()
    {
        float[] p = [0, float.NegativeInfinity, 0, 0, 0, 0, 0, 0, 0, float.NegativeInfinity];
        float[] q = [0, float.NegativeInfinity, 0, 0, 0, 0, 0, 0, 0, 0];
        Assert.Equal(Math.Log(9.0 / 8), LogSoftmax.Divergence(p, LogSoftmax.Measure(p), q, LogSoftmax.Measure(q)), 1e-12);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Logits_that_are_no_numbers_are_refused(float wrong)
    {
        float[] row = Row(40, 3);
        for (int id = 0; id < row.Length; id += 13)
        {
            float[] broken = [.. row];
            broken[id] = wrong;
            Assert.Throws<InvalidDataException>(() => LogSoftmax.Measure(broken));
        }

        Assert.Throws<InvalidDataException>(() => LogSoftmax.Measure([float.NegativeInfinity]));
        Assert.Throws<InvalidDataException>(() => LogSoftmax.Measure([]));
    }

    private static float[] Row(int size, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, size).Select(_ => random.NextSingle() * 20 - 10)];
    }
}
