// SPDX-License-Identifier: MIT
// How the next token is chosen from its logits.
namespace CatsOnnx.Sampling;

/// <summary>Chooses a token.</summary>
public interface ISampler
{
    /// <summary>The id of the next token.</summary>
    /// <param name="logits">[vocabulary], finite or infinite numbers; holds until the method returns.</param>
    int Sample(ReadOnlySpan<float> logits);
}
