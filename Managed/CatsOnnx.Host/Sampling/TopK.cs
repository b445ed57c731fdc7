// SPDX-License-Identifier: MIT
// Keeps the k likeliest tokens; as in Hugging Face's generate also those that are equal to the k-th.
namespace CatsOnnx.Sampling;

/// <summary>Keeps the candidates not below the k-th highest logit.</summary>
internal sealed class TopK(int k) : ISamplingRule
{
    private readonly PriorityQueue<int, float> _highest = new(); // the lowest of them first

    /// <summary>The rule that the options ask for, or null.</summary>
    public static TopK? From(SamplingOptions options) => options.TopK == 0 ? null : new TopK(options.TopK);

    public void Apply(Candidates candidates, TokenHistory history)
    {
        ReadOnlySpan<float> logits = candidates.Logits;
        if (k >= logits.Length)
        {
            return;
        }

        _highest.Clear();
        float least = float.PositiveInfinity;
        foreach (float logit in logits)
        {
            if (_highest.Count < k)
            {
                _highest.Enqueue(0, logit);
                least = Math.Min(least, logit);
            }
            else if (logit > least)
            {
                _highest.EnqueueDequeue(0, logit);
                _highest.TryPeek(out _, out least);
            }
        }

        candidates.KeepFrom(least);
    }
}
