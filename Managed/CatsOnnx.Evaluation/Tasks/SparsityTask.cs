// SPDX-License-Identifier: MIT
// Sparsity as the running graph has it: the share of neurons that its operators did not keep.
namespace CatsOnnx.Evaluation.Tasks;

/// <summary>Measures the sparsity of each layer from the active neurons that the graph counts.</summary>
/// <param name="intermediateSizes">[layers]: the neurons of each sparse layer; empty for a dense model.</param>
public sealed class SparsityTask(IReadOnlyList<int> intermediateSizes) : IWindowTask
{
    private readonly long[] _active = new long[intermediateSizes.Count];
    private long _tokens;

    /// <inheritdoc/>
    public void Observe(WindowBatch batch)
    {
        if (batch.Active.Length != _active.Length)
        {
            throw new InvalidDataException($"The graph counted the active neurons of {batch.Active.Length} layers; it has {_active.Length}.");
        }

        for (int layer = 0; layer < _active.Length; layer++)
        {
            _active[layer] += batch.Active[layer];
        }

        _tokens += batch.Tokens;
    }

    /// <inheritdoc/>
    public EvaluationResult Report(EvaluationResult result)
    {
        if (_active.Length == 0 || _tokens == 0)
        {
            return result;
        }

        double[] perLayer = [.. _active.Select((active, layer) => 1 - active / ((double)_tokens * intermediateSizes[layer]))];
        return result with { Sparsity = perLayer.Average(), SparsityPerLayer = perLayer };
    }
}
