// SPDX-License-Identifier: MIT
// Nucleus sampling: keeps the likeliest tokens that together reach a probability, the one that reaches it among them.
namespace CatsOnnx.Sampling;

/// <summary>Keeps a candidate where those before it have less than the probability.</summary>
internal sealed class TopP(float probability) : ISamplingRule
{
    /// <summary>The rule that the options ask for, or null.</summary>
    public static TopP? From(SamplingOptions options) => options.TopP == 1 ? null : new TopP(options.TopP);

    public void Apply(Candidates candidates, TokenHistory history)
    {
        // The tokens below (1 - p) / n have at most 1 - p together, so all of them go: sorting a vocabulary of 128,000 takes
        // 8 ms, sorting what is left takes little.
        ReadOnlySpan<float> weights = candidates.Weights(out double sum);
        double rare = (1 - probability) * sum / weights.Length;
        float least = float.PositiveInfinity;
        ReadOnlySpan<float> logits = candidates.Logits;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] > rare && logits[i] < least)
            {
                least = logits[i];
            }
        }

        candidates.KeepFrom(least);
        candidates.Sort();
        weights = candidates.Weights(out _);
        double before = 0;
        int kept = 0;
        while (kept < weights.Length && (kept == 0 || before < probability * sum))
        {
            before += weights[kept++];
        }

        candidates.KeepFirst(kept);
    }
}
