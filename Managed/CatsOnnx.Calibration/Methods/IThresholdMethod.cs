// SPDX-License-Identifier: MIT
// What a way of choosing thresholds has to say; one file in this folder per method.
namespace CatsOnnx.Calibration.Methods;

/// <summary>A way to choose the thresholds of a layer from what its gate activations were on a text.</summary>
public interface IThresholdMethod
{
    /// <summary>The name that users write and thresholds.json records.</summary>
    string Name { get; }

    /// <summary>Whether activations are counted times a weight of their neuron, which costs a first pass over the text.</summary>
    bool WeighsNeurons { get; }

    /// <summary>The weights of a layer's neurons for the second pass; asked only where <see cref="WeighsNeurons"/> is set.</summary>
    /// <param name="upAbsSum">[intermediate_size]: sum over the tokens of abs(up_i).</param>
    /// <param name="tokens">Tokens summed, above 0.</param>
    /// <returns>[intermediate_size], finite, none negative.</returns>
    float[] Weigh(ReadOnlySpan<double> upAbsSum, long tokens);

    /// <summary>The thresholds of a layer.</summary>
    /// <param name="histogram">abs(gate activation), times the neuron's weight where the method weighs, over all tokens and neurons.</param>
    /// <param name="weights">[intermediate_size] as <see cref="Weigh"/> gave them; empty where the method does not weigh.</param>
    /// <param name="sparsity">The share of activations to drop, 0 to 1; 0 keeps all.</param>
    ChosenThresholds Choose(GateHistogram histogram, ReadOnlySpan<float> weights, double sparsity);
}
