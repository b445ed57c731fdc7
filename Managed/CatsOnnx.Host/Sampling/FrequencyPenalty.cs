// SPDX-License-Identifier: MIT
// OpenAI's frequency_penalty: a token loses the amount again for each time that it came.
namespace CatsOnnx.Sampling;

/// <summary>Subtracts from the logit of each token of the answer, as often as it came.</summary>
internal sealed class FrequencyPenalty(float penalty) : IPenalty
{
    /// <summary>The rule that the options ask for, or null.</summary>
    public static FrequencyPenalty? From(SamplingOptions options) =>
        options.FrequencyPenalty == 0 ? null : new FrequencyPenalty(options.FrequencyPenalty);

    public void Apply(Candidates candidates, TokenHistory history)
    {
        Span<float> logits = candidates.Logits;
        foreach (int token in history.Generated)
        {
            if ((uint)token < (uint)logits.Length)
            {
                logits[token] -= penalty;
            }
        }
    }
}
