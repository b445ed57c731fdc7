// SPDX-License-Identifier: MIT
// What one window gave: logits as float, and the outputs that were added to the graph.
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Session;

/// <summary>The result of one window. It holds until the next run of the same runner.</summary>
public sealed class WindowOutput
{
    private readonly Dictionary<string, OrtValue> _extra;
    private readonly float[] _logits; // [tokens, vocabulary]

    internal WindowOutput(float[] logits, int tokens, int vocabSize, Dictionary<string, OrtValue> extra)
    {
        _logits = logits;
        Tokens = tokens;
        VocabSize = vocabSize;
        _extra = extra;
    }

    /// <summary>Number of tokens in the window.</summary>
    public int Tokens { get; }

    /// <summary>Number of logits of one token.</summary>
    public int VocabSize { get; }

    /// <summary>All logits, [Tokens, VocabSize].</summary>
    public ReadOnlySpan<float> Logits => _logits.AsSpan(0, Tokens * VocabSize);

    /// <summary>The logits that follow the token at <paramref name="position"/>, [VocabSize].</summary>
    /// <param name="position">0 or more, below <see cref="Tokens"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public ReadOnlySpan<float> LogitsAt(int position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(position, Tokens);
        return _logits.AsSpan(position * VocabSize, VocabSize);
    }

    /// <summary>An extra output, flat: the elements of <see cref="ExtraShape"/>, the last dimension fastest.</summary>
    /// <typeparam name="T">Its element type: int for int32, long for int64, float, double.</typeparam>
    /// <param name="name">The output's name in the graph.</param>
    /// <exception cref="ArgumentException">There is no such output.</exception>
    public ReadOnlySpan<T> Extra<T>(string name)
        where T : unmanaged => Value(name).GetTensorDataAsSpan<T>();

    /// <summary>The shape of an extra output.</summary>
    /// <param name="name">The output's name in the graph.</param>
    /// <exception cref="ArgumentException">There is no such output.</exception>
    public long[] ExtraShape(string name) => Value(name).GetTensorTypeAndShape().Shape;

    private OrtValue Value(string name) => _extra.TryGetValue(name, out OrtValue? value) ? value
        : throw new ArgumentException($"The model has no extra output '{name}'; there are: {(_extra.Count == 0 ? "none" : string.Join(", ", _extra.Keys))}.", nameof(name));
}
