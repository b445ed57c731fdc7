// SPDX-License-Identifier: MIT
// What was observed of one layer's gate activations.
using System.Text.Json.Serialization;

namespace CatsOnnx.Calibration;

/// <summary>The gate activations of one gated MLP over some text.</summary>
[JsonConverter(typeof(LayerConverter))]
public sealed class LayerObservations
{
    /// <summary>Observations of one layer.</summary>
    /// <param name="name">The MLP's name in the graph.</param>
    /// <param name="intermediateSize">Its neurons, above 0.</param>
    /// <param name="tokens">Tokens observed.</param>
    /// <param name="histogram">tokens * intermediateSize activations, times the weight of their neuron where there are weights.</param>
    /// <param name="weights">[intermediateSize], or empty where the method does not weigh neurons.</param>
    /// <exception cref="InvalidDataException">The numbers do not fit together.</exception>
    public LayerObservations(string name, int intermediateSize, long tokens, GateHistogram histogram, ReadOnlyMemory<float> weights)
    {
        if (intermediateSize < 1 || tokens < 0)
        {
            throw new InvalidDataException($"Layer '{name}' has {intermediateSize} neurons and {tokens} tokens; neither can be.");
        }

        if (histogram.Total != (Int128)tokens * intermediateSize)
        {
            throw new InvalidDataException(
                $"Layer '{name}' counted {histogram.Total} activations; {tokens} tokens of {intermediateSize} neurons make {(Int128)tokens * intermediateSize}.");
        }

        if (!weights.IsEmpty && weights.Length != intermediateSize)
        {
            throw new InvalidDataException($"Layer '{name}' has {weights.Length} weights for {intermediateSize} neurons.");
        }

        foreach (float weight in weights.Span)
        {
            if (!(float.IsFinite(weight) && weight >= 0))
            {
                throw new InvalidDataException($"Layer '{name}' weighs a neuron with {weight}; weights are finite and not negative.");
            }
        }

        Name = name;
        IntermediateSize = intermediateSize;
        Tokens = tokens;
        Histogram = histogram;
        Weights = weights;
    }

    /// <summary>The MLP's name in the graph.</summary>
    public string Name { get; }

    /// <summary>Its neurons.</summary>
    public int IntermediateSize { get; }

    /// <summary>Tokens observed.</summary>
    public long Tokens { get; }

    /// <summary>Tokens * IntermediateSize activations.</summary>
    public GateHistogram Histogram { get; }

    /// <summary>[IntermediateSize]: what each neuron's activations were multiplied with; empty where they were not.</summary>
    public ReadOnlyMemory<float> Weights { get; }

    /// <summary>The same layer over these and other tokens.</summary>
    /// <param name="other">Observations with the same name, size and weights.</param>
    /// <exception cref="InvalidDataException">They are of another layer, or the weights differ by more than rounding.</exception>
    public LayerObservations Add(LayerObservations other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Name != Name || other.IntermediateSize != IntermediateSize || other.Weights.Length != Weights.Length)
        {
            throw new InvalidDataException(
                $"Layer '{Name}' ({IntermediateSize} neurons, {Weights.Length} weights) cannot be merged with '{other.Name}' ({other.IntermediateSize} neurons, {other.Weights.Length} weights).");
        }

        // Every shard weighs with the whole text, so weights are equal; processors of different kinds differ in the last bits.
        for (int neuron = 0; neuron < Weights.Length; neuron++)
        {
            float ours = Weights.Span[neuron];
            float theirs = other.Weights.Span[neuron];
            if (Math.Abs(ours - theirs) > 1e-3f * Math.Max(ours, theirs))
            {
                throw new InvalidDataException(
                    $"Layer '{Name}' weighs neuron {neuron} with {ours} in one shard and with {theirs} in another: they are not of one run.");
            }
        }

        GateHistogram sum = new(Histogram.Counts);
        sum.Merge(other.Histogram);
        return new(Name, IntermediateSize, checked(Tokens + other.Tokens), sum, Weights);
    }
}
