// SPDX-License-Identifier: MIT
// OpenAI's presence_penalty: a token that the answer holds loses a fixed amount.
namespace CatsOnnx.Sampling;

/// <summary>Subtracts from the logit of each token of the answer, once.</summary>
internal sealed class PresencePenalty(float penalty) : IPenalty
{
    private readonly TokenMarks _seen = new();

    /// <summary>The rule that the options ask for, or null.</summary>
    public static PresencePenalty? From(SamplingOptions options) =>
        options.PresencePenalty == 0 ? null : new PresencePenalty(options.PresencePenalty);

    public void Apply(Candidates candidates, TokenHistory history)
    {
        Span<float> logits = candidates.Logits;
        _seen.Clear(logits.Length);
        foreach (int token in history.Generated)
        {
            if (_seen.Add(token) && token < logits.Length)
            {
                logits[token] -= penalty;
            }
        }
    }
}
