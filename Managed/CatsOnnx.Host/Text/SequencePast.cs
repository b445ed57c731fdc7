// SPDX-License-Identifier: MIT
// Keys and values of a sequence that was read, so that several continuations of it can be.
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Text;

/// <summary>Keys and values of one sequence; disposing frees them. (GroupQueryAttention takes several tokens after a past for one sequence at a time only.)</summary>
public sealed class SequencePast : IDisposable
{
    private readonly Dictionary<string, OrtValue> _values = []; // by name of the past input: [1, heads, length, head_dim]

    private SequencePast(int length) => Length = length;

    /// <summary>Tokens of the sequence.</summary>
    public int Length { get; }

    internal OrtValue this[string pastName] => _values[pastName];

    /// <summary>The outputs that hold keys and values, in the order of the layers.</summary>
    /// <param name="signature">A model with a cache.</param>
    public static IReadOnlyList<string> OutputsOf(ModelSignature signature)
    {
        ArgumentNullException.ThrowIfNull(signature);
        return [.. signature.Layers.SelectMany(layer => (string[])[layer.PresentKey, layer.PresentValue])];
    }

    /// <summary>Copies the keys and values of one sequence.</summary>
    /// <param name="signature">The model's signature.</param>
    /// <param name="output">A run that was asked for <see cref="OutputsOf"/>.</param>
    /// <param name="sequence">Which sequence of the run's batch.</param>
    public static SequencePast Of(ModelSignature signature, SequenceOutput output, int sequence)
    {
        ArgumentNullException.ThrowIfNull(signature);
        ArgumentNullException.ThrowIfNull(output);
        long[] shape = output[signature.Layers[0].PresentKey].GetTensorTypeAndShape().Shape;
        ArgumentOutOfRangeException.ThrowIfNegative(sequence);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(sequence, shape[0]);
        SequencePast past = new((int)shape[2]);
        try
        {
            foreach (LayerCache layer in signature.Layers)
            {
                past.Add(layer.PastKey, output[layer.PresentKey], signature, sequence);
                past.Add(layer.PastValue, output[layer.PresentValue], signature, sequence);
            }

            return past;
        }
        catch
        {
            past.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (OrtValue value in _values.Values)
        {
            value.Dispose();
        }

        _values.Clear();
    }

    // present: [batch, heads, length, head_dim] -> [1, heads, length, head_dim]
    private void Add(string pastName, OrtValue present, ModelSignature signature, int sequence)
    {
        long[] shape = present.GetTensorTypeAndShape().Shape;
        OrtValue past = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, signature.CacheType, [1, shape[1], shape[2], shape[3]]);
        _values.Add(pastName, past);
        Span<byte> target = past.GetTensorMutableRawData();
        present.GetTensorMutableRawData().Slice(sequence * target.Length, target.Length).CopyTo(target);
    }
}
