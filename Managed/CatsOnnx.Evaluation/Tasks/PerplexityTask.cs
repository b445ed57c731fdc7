// SPDX-License-Identifier: MIT
// Perplexity: exp of the mean negative log-likelihood of the targets.
namespace CatsOnnx.Evaluation.Tasks;

/// <summary>Measures perplexity.</summary>
public sealed class PerplexityTask : IWindowTask
{
    private double _negativeLogLikelihood; // in nats
    private long _tokens;

    /// <inheritdoc/>
    public void Observe(WindowBatch batch)
    {
        for (int row = 0; row < batch.Tokens; row++)
        {
            _negativeLogLikelihood -= batch.Statistics[row].LogProbability(batch.Logits.Row(row), batch.Targets[row]);
        }

        _tokens += batch.Tokens;
    }

    /// <inheritdoc/>
    public EvaluationResult Report(EvaluationResult result)
        => result with { Perplexity = _tokens > 0 ? Math.Exp(_negativeLogLikelihood / _tokens) : null };
}
