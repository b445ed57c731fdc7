// SPDX-License-Identifier: MIT
// The tokens so far, prompt and answer apart: some penalties count both, others the answer alone.
namespace CatsOnnx.Sampling;

/// <summary>The tokens before the one that is chosen.</summary>
/// <param name="prompt">Those that were given.</param>
/// <param name="generated">Those that were chosen.</param>
public readonly ref struct TokenHistory(ReadOnlySpan<int> prompt, ReadOnlySpan<int> generated)
{
    /// <summary>The tokens that were given.</summary>
    public ReadOnlySpan<int> Prompt { get; } = prompt;

    /// <summary>The tokens that were chosen, the latest last.</summary>
    public ReadOnlySpan<int> Generated { get; } = generated;
}
