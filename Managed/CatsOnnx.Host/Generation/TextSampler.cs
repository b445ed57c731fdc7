// SPDX-License-Identifier: MIT
// Gives a request's sampler the tokens so far, which the run of a step knows nothing of.
using System.Runtime.InteropServices;
using CatsOnnx.Sampling;

namespace CatsOnnx.Generation;

/// <summary>A sampler together with the text that it goes on.</summary>
/// <param name="inner">Chooses.</param>
/// <param name="prompt">The prompt.</param>
/// <param name="generated">The tokens chosen so far; the caller adds to it.</param>
internal sealed class TextSampler(ISampler inner, int[] prompt, List<int> generated) : ISampler
{
    public int Sample(ReadOnlySpan<float> logits) =>
        inner.Sample(logits, new TokenHistory(prompt, CollectionsMarshal.AsSpan(generated)));
}
