// SPDX-License-Identifier: MIT
// One threshold per neuron: a neuron whose up is large on average keeps smaller gate activations (the idea of CHESS).
namespace CatsOnnx.Calibration.Methods;

/// <summary>
/// threshold_i = T / w_i with w_i = mean abs(up_i) over the layer's mean of them, and T the quantile of
/// abs(SiLU(gate_i)) * w_i over all tokens and neurons of the layer.
/// </summary>
public sealed class NeuronMethod : IThresholdMethod
{
    /// <inheritdoc/>
    public string Name => "neuron";

    /// <inheritdoc/>
    public bool WeighsNeurons => true;

    /// <inheritdoc/>
    public float[] Weigh(ReadOnlySpan<double> upAbsSum, long tokens)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens, 1);
        double sum = 0;
        foreach (double neuron in upAbsSum)
        {
            sum += neuron;
        }

        if (!double.IsFinite(sum))
        {
            throw new InvalidDataException($"The sum of abs(up) over {tokens} tokens is {sum}, so neurons cannot be weighed.");
        }

        // The tokens cancel: both means are over the same ones. A layer whose up is zero throughout weighs all alike.
        double mean = sum / upAbsSum.Length;
        float[] weights = new float[upAbsSum.Length];
        for (int neuron = 0; neuron < weights.Length; neuron++)
        {
            weights[neuron] = mean > 0 ? (float)(upAbsSum[neuron] / mean) : 1;
        }

        return weights;
    }

    /// <inheritdoc/>
    public ChosenThresholds Choose(GateHistogram histogram, ReadOnlySpan<float> weights, double sparsity)
    {
        float[] thresholds = new float[weights.Length];
        if (sparsity == 0)
        {
            return new(thresholds, 0);
        }

        float quantile = histogram.Quantile(sparsity);
        for (int neuron = 0; neuron < thresholds.Length; neuron++)
        {
            // A neuron whose up is always 0 adds nothing: its quotient is infinite and it is never kept. Files hold finite thresholds.
            thresholds[neuron] = Math.Min(quantile / weights[neuron], float.MaxValue);
        }

        return new(thresholds, histogram.FractionBelow(quantile));
    }
}
