// SPDX-License-Identifier: MIT
// What dense probes tell: how far the sparse model's next token is from the dense one's, while text is generated.
using CatsOnnx.Sampling;

namespace CatsOnnx.Generation;

/// <summary>A comparison of one decoding step with the same step at threshold scale 0, which is the dense model.</summary>
/// <param name="Kl">The Kullback-Leibler divergence KL(dense || as it was run) of the next token's distribution in nats, before sampling
/// options such as the temperature: 0 or above.</param>
/// <param name="Top1Agrees">Whether both hold the same token for the most likely one.</param>
public sealed record DenseProbe(double Kl, bool Top1Agrees)
{
    /// <summary>Compares two rows of logits.</summary>
    /// <param name="dense">[vocabulary].</param>
    /// <param name="run">[vocabulary]: those that the token was chosen by.</param>
    /// <exception cref="InvalidDataException">A row has no probabilities: a logit is NaN or +infinity.</exception>
    internal static DenseProbe Compare(ReadOnlySpan<float> dense, ReadOnlySpan<float> run)
    {
        RowStatistics truth = LogSoftmax.Measure(dense);
        RowStatistics other = LogSoftmax.Measure(run);
        return new DenseProbe(Math.Max(LogSoftmax.Divergence(dense, truth, run, other), 0), truth.ArgMax == other.ArgMax);
    }
}

/// <summary>The dense probes of a request (<see cref="GenerationOptions.DenseProbeEvery"/>).</summary>
/// <param name="Count">Tokens that were probed.</param>
/// <param name="Kl">Mean of <see cref="DenseProbe.Kl"/>, in nats.</param>
/// <param name="Top1Agreement">Share of probes whose most likely token was the same, 0 to 1.</param>
/// <param name="Elapsed">What the dense runs and comparisons took; no part of <see cref="GenerationStatistics.Decode"/>.</param>
public sealed record ProbeStatistics(int Count, double Kl, double Top1Agreement, TimeSpan Elapsed)
{
    /// <summary>The probes of several requests together; null where there were none.</summary>
    /// <param name="requests">Those of each request; null for requests without.</param>
    public static ProbeStatistics? Sum(IEnumerable<ProbeStatistics?> requests)
    {
        ArgumentNullException.ThrowIfNull(requests);
        int count = 0;
        double divergence = 0;
        double agreed = 0;
        TimeSpan elapsed = TimeSpan.Zero;
        foreach (ProbeStatistics? probes in requests)
        {
            if (probes is not null)
            {
                count += probes.Count;
                divergence += probes.Kl * probes.Count;
                agreed += probes.Top1Agreement * probes.Count;
                elapsed += probes.Elapsed;
            }
        }

        return count == 0 ? null : new ProbeStatistics(count, divergence / count, agreed / count, elapsed);
    }
}
