// SPDX-License-Identifier: MIT
// How the next token is chosen from its logits.
namespace CatsOnnx.Sampling;

/// <summary>Chooses a token.</summary>
public interface ISampler
{
    /// <summary>The id of the next token.</summary>
    /// <param name="logits">[vocabulary], finite or infinite numbers; holds until the method returns.</param>
    /// <returns>0 to vocabulary - 1.</returns>
    int Sample(ReadOnlySpan<float> logits);

    /// <summary>The id of the token that follows a text. What a generator calls; samplers that don't look at the text need
    /// not implement it.</summary>
    /// <param name="logits">[vocabulary], finite or infinite numbers; holds until the method returns.</param>
    /// <param name="history">The tokens so far.</param>
    /// <returns>0 to vocabulary - 1.</returns>
    int Sample(ReadOnlySpan<float> logits, TokenHistory history) => Sample(logits);
}
