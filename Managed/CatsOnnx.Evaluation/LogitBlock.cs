// SPDX-License-Identifier: MIT
// The logits of one run, read where ONNX Runtime left them (float32) or widened once (float16, bfloat16).
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CatsOnnx.Sampling;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Evaluation;

/// <summary>Rows of logits of a run over some sequences, with their statistics.</summary>
public sealed class LogitBlock
{
    private readonly float[]? _widened;
    private readonly OrtValue? _owner;
    private readonly nint _rows; // float [Rows, Vocabulary] in the memory of _owner, which ONNX Runtime does not move

    /// <summary>Logits that are in managed memory.</summary>
    /// <param name="logits">[rows, vocabulary].</param>
    /// <param name="vocabulary">vocab_size, above 0, a divisor of the number of logits.</param>
    public LogitBlock(float[] logits, int vocabulary)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabulary, 1);
        if (logits.Length % vocabulary != 0)
        {
            throw new ArgumentException($"{logits.Length} logits are no whole rows of {vocabulary}.", nameof(logits));
        }

        _widened = logits;
        Vocabulary = vocabulary;
        Rows = logits.Length / vocabulary;
    }

    /// <summary>Logits that a session returned.</summary>
    /// <param name="logits">[..., vocab_size], float32, float16 or bfloat16 in CPU memory; must live as long as this block is read.</param>
    /// <exception cref="NotSupportedException">The logits are of another type.</exception>
    public unsafe LogitBlock(OrtValue logits)
    {
        ArgumentNullException.ThrowIfNull(logits);
        OrtTensorTypeAndShapeInfo info = logits.GetTensorTypeAndShape();
        long[] shape = info.Shape;
        Vocabulary = checked((int)shape[^1]);
        Rows = checked((int)(info.ElementCount / Math.Max(1, shape[^1])));
        switch (info.ElementDataType)
        {
            case TensorElementType.Float:
                _owner = logits;
                _rows = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(logits.GetTensorDataAsSpan<float>()));
                break;
            case TensorElementType.Float16:
                ReadOnlySpan<Half> halves = MemoryMarshal.Cast<Float16, Half>(logits.GetTensorDataAsSpan<Float16>());
                _widened = new float[halves.Length];
                System.Numerics.Tensors.TensorPrimitives.ConvertToSingle(halves, _widened);
                break;
            case TensorElementType.BFloat16:
                ReadOnlySpan<ushort> words = MemoryMarshal.Cast<BFloat16, ushort>(logits.GetTensorDataAsSpan<BFloat16>());
                _widened = new float[words.Length];
                for (int index = 0; index < words.Length; index++)
                {
                    _widened[index] = BitConverter.UInt32BitsToSingle((uint)words[index] << 16);
                }

                break;
            default:
                throw new NotSupportedException(
                    $"Logits are {info.ElementDataType}; float32, float16 and bfloat16 can be evaluated.");
        }
    }

    /// <summary>The number of rows: one per token that was read.</summary>
    public int Rows { get; }

    /// <summary>Logits in a row.</summary>
    public int Vocabulary { get; }

    /// <summary>The logits after one token: [Vocabulary].</summary>
    /// <param name="index">0 to Rows - 1.</param>
    public unsafe ReadOnlySpan<float> Row(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Rows);
        if (_widened is not null)
        {
            return _widened.AsSpan(index * Vocabulary, Vocabulary);
        }

        ReadOnlySpan<float> row = new((float*)_rows + (long)index * Vocabulary, Vocabulary);
        GC.KeepAlive(_owner);
        return row;
    }

    /// <summary>The statistics of every row, computed on all cores: [Rows].</summary>
    /// <exception cref="InvalidDataException">A row has no probabilities (NaN).</exception>
    public RowStatistics[] Measure()
    {
        RowStatistics[] statistics = new RowStatistics[Rows];
        try
        {
            Parallel.For(0, Rows, row => statistics[row] = LogSoftmax.Measure(Row(row)));
        }
        catch (AggregateException errors)
        {
            throw errors.InnerException!;
        }

        return statistics;
    }
}
