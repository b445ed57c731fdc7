// SPDX-License-Identifier: MIT
// Next-token accuracy: how often the target has the largest logit.
namespace CatsOnnx.Evaluation.Tasks;

/// <summary>Measures next-token accuracy.</summary>
public sealed class NextTokenTask : IWindowTask
{
    private long _right;
    private long _tokens;

    /// <inheritdoc/>
    public void Observe(WindowBatch batch)
    {
        for (int row = 0; row < batch.Tokens; row++)
        {
            _right += batch.Statistics[row].ArgMax == batch.Targets[row] ? 1 : 0;
        }

        _tokens += batch.Tokens;
    }

    /// <inheritdoc/>
    public EvaluationResult Report(EvaluationResult result)
        => result with { NextTokenAccuracy = _tokens > 0 ? (double)_right / _tokens : null };
}
