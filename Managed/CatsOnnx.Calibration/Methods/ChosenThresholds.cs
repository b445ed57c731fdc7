// SPDX-License-Identifier: MIT
// What a method chose for a layer.
namespace CatsOnnx.Calibration.Methods;

/// <summary>The thresholds of a layer and what they came to on the text.</summary>
/// <param name="Thresholds">One threshold for the layer, or one for each neuron: [intermediate_size].</param>
/// <param name="Sparsity">The share of the counted activations that fall below them, 0 to 1.</param>
public sealed record ChosenThresholds(float[] Thresholds, double Sparsity);
