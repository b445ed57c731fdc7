// SPDX-License-Identifier: MIT
// Probes against divergences written out in double: large vocabularies, masked tokens, rows without probabilities, sums.
using CatsOnnx.Generation;

namespace CatsOnnx.Tests.Unit.Host.Generation;

public sealed class DenseProbeTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(4096)]
    [InlineData(151_936)]
    public void Divergence_and_agreement_are_those_of_the_definition(int vocabulary)
    {
        Random random = new(vocabulary);
        float[] dense = [.. Enumerable.Range(0, vocabulary).Select(_ => (float)(random.NextDouble() * 12 - 40))];
        float[] run = [.. dense.Select(logit => logit + (float)random.NextDouble())];
        dense[1] = run[1] = 3;
        DenseProbe probe = DenseProbe.Compare(dense, run);
        double denseSum = Math.Log(dense.Sum(logit => Math.Exp(logit)));
        double runSum = Math.Log(run.Sum(logit => Math.Exp(logit)));
        double expected = dense.Zip(run).Sum(pair => Math.Exp(pair.First - denseSum) * (pair.First - denseSum - pair.Second + runSum));
        Assert.Equal(expected, probe.Kl, 1e-10);
        Assert.True(probe.Top1Agrees);
        run[0] = 3.1f;
        Assert.False(DenseProbe.Compare(dense, run).Top1Agrees);
        Assert.Equal(new DenseProbe(0, true), DenseProbe.Compare(dense, dense));
    }

    [Fact]
    public void Tokens_that_both_rule_out_count_nothing_and_those_that_only_the_run_does_are_infinitely_far()
    {
        float[] dense = [1, 0, float.NegativeInfinity];
        Assert.Equal(0, DenseProbe.Compare(dense, dense).Kl);
        Assert.Equal(double.PositiveInfinity, DenseProbe.Compare(dense, [1, float.NegativeInfinity, float.NegativeInfinity]).Kl);
        Assert.Throws<InvalidDataException>(() => DenseProbe.Compare(dense, [1, float.NaN, 0]));
    }

    [Fact]
    public void Statistics_of_several_requests_are_weighted_by_their_probes()
    {
        ProbeStatistics sum = ProbeStatistics.Sum(
            [new ProbeStatistics(1, 0.4, 0, TimeSpan.FromSeconds(1)), null, new ProbeStatistics(3, 0.2, 1, TimeSpan.FromSeconds(2))])!;
        Assert.Equal((4, TimeSpan.FromSeconds(3)), (sum.Count, sum.Elapsed));
        Assert.Equal((0.25, 0.75), (sum.Kl, sum.Top1Agreement));
        Assert.Null(ProbeStatistics.Sum([null, null]));
    }
}
