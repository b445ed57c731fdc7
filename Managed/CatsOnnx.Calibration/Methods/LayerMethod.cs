// SPDX-License-Identifier: MIT
// CATS as published: one threshold for a layer, the quantile of its abs(gate activation).
namespace CatsOnnx.Calibration.Methods;

/// <summary>One threshold per layer: the quantile of abs(SiLU(gate)) over all tokens and neurons.</summary>
public sealed class LayerMethod : IThresholdMethod
{
    /// <inheritdoc/>
    public string Name => "layer";

    /// <inheritdoc/>
    public bool WeighsNeurons => false;

    /// <inheritdoc/>
    public float[] Weigh(ReadOnlySpan<double> upAbsSum, long tokens)
        => throw new InvalidOperationException($"The method '{Name}' does not weigh neurons.");

    /// <inheritdoc/>
    public ChosenThresholds Choose(GateHistogram histogram, ReadOnlySpan<float> weights, double sparsity)
    {
        float threshold = sparsity == 0 ? 0 : histogram.Quantile(sparsity);
        return new([threshold], histogram.FractionBelow(threshold));
    }
}
