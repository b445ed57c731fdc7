// SPDX-License-Identifier: MIT
// How far a model's predictions moved from another model's: KL(other || this) and top-1 agreement.
using CatsOnnx.Sampling;

namespace CatsOnnx.Evaluation.Tasks;

/// <summary>Compares a model with another one, position by position. Batches without another model add nothing.</summary>
public sealed class DivergenceTask : IWindowTask
{
    private double _divergence; // in nats
    private long _agreed;
    private long _tokens;

    /// <inheritdoc/>
    public void Observe(WindowBatch batch)
    {
        if (batch.Other is not LogitBlock other || batch.OtherStatistics is not RowStatistics[] others)
        {
            return;
        }

        double[] divergences = new double[batch.Tokens];
        Parallel.For(0, batch.Tokens, row => divergences[row] =
            LogSoftmax.Divergence(other.Row(row), others[row], batch.Logits.Row(row), batch.Statistics[row]));
        for (int row = 0; row < batch.Tokens; row++)
        {
            _divergence += divergences[row];
            _agreed += others[row].ArgMax == batch.Statistics[row].ArgMax ? 1 : 0;
        }

        _tokens += batch.Tokens;
    }

    /// <inheritdoc/>
    public EvaluationResult Report(EvaluationResult result) => _tokens == 0
        ? result
        : result with { Kl = _divergence / _tokens, Top1Agreement = (double)_agreed / _tokens };
}
