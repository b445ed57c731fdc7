// SPDX-License-Identifier: MIT
// Hugging Face's repetition_penalty: tokens of prompt and answer become less likely, each once.
namespace CatsOnnx.Sampling;

/// <summary>Divides positive logits of tokens seen by a factor, multiplies negative ones.</summary>
internal sealed class RepetitionPenalty(float penalty) : IPenalty
{
    private readonly TokenMarks _seen = new();

    /// <summary>The rule that the options ask for, or null.</summary>
    public static RepetitionPenalty? From(SamplingOptions options) =>
        options.RepetitionPenalty == 1 ? null : new RepetitionPenalty(options.RepetitionPenalty);

    public void Apply(Candidates candidates, TokenHistory history)
    {
        Span<float> logits = candidates.Logits;
        _seen.Clear(logits.Length);
        Apply(logits, history.Prompt);
        Apply(logits, history.Generated);
    }

    private void Apply(Span<float> logits, ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
        {
            if (_seen.Add(token) && token < logits.Length)
            {
                logits[token] = logits[token] < 0 ? logits[token] * penalty : logits[token] / penalty;
            }
        }
    }
}
