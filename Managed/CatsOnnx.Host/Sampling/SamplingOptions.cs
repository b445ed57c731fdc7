// SPDX-License-Identifier: MIT
// What may be asked of the choice of tokens, in the words that Hugging Face and OpenAI use.
namespace CatsOnnx.Sampling;

/// <summary>How tokens are drawn. The rules apply in the order in which Hugging Face's generate applies them: repetition,
/// presence and frequency penalty, temperature, top-k, top-p, min-p. Without any option tokens are drawn from the model's
/// own distribution.</summary>
public sealed record SamplingOptions
{
    /// <summary>Divides the logits: below 1 likely tokens become likelier. 0 takes the most likely token.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Only this many of the most likely tokens (more where the last are equal); 0: all.</summary>
    public int TopK { get; init; }

    /// <summary>Only the most likely tokens that together have this probability (above 0, at most 1); 1: all.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Only tokens at least this likely (0 to 1) in proportion to the most likely one; 0: all.</summary>
    public float MinP { get; init; }

    /// <summary>Logits of tokens of the prompt and the answer are divided by it where positive, multiplied where negative
    /// (above 0); 1: none.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted from the logit of each token that the answer holds; 0: none.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from a token's logit once for each time that the answer holds it; 0: none.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Where drawing begins: the same seed, options and logits give the same tokens. Null: another one each time.</summary>
    public long? Seed { get; init; }

    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    internal void Check()
    {
        Require(Temperature >= 0 && float.IsFinite(Temperature), Temperature, nameof(Temperature), "0 or more");
        Require(TopK >= 0, TopK, nameof(TopK), "0 (all) or more");
        Require(TopP is > 0 and <= 1, TopP, nameof(TopP), "above 0 and at most 1 (all)");
        Require(MinP is >= 0 and <= 1, MinP, nameof(MinP), "0 (all) to 1");
        Require(RepetitionPenalty > 0 && float.IsFinite(RepetitionPenalty), RepetitionPenalty, nameof(RepetitionPenalty), "above 0; 1 is none");
        Require(float.IsFinite(PresencePenalty), PresencePenalty, nameof(PresencePenalty), "a finite number; 0 is none");
        Require(float.IsFinite(FrequencyPenalty), FrequencyPenalty, nameof(FrequencyPenalty), "a finite number; 0 is none");
    }

    private static void Require(bool holds, object value, string name, string range)
    {
        if (!holds)
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be {range}.");
        }
    }
}
