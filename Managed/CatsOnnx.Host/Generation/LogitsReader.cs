// SPDX-License-Identifier: MIT
// Rows of logits as floats, from the memory that a session's runs write them to.
using System.Runtime.InteropServices;
using CatsOnnx.Memory;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Generation;

/// <summary>Reads rows [vocabulary] of float, float16 or bfloat16 as float.</summary>
internal sealed class LogitsReader(ModelSession session) : IDisposable
{
    private readonly TensorPlace _place = session.Place;
    private readonly TensorElementType _type = session.Signature.LogitsType;
    private readonly float[] _row = new float[session.Signature.VocabSize]; // of a type that is not float
    private TensorMemory? _buffer;

    /// <summary>Bytes of a row.</summary>
    public int RowBytes { get; } = session.Signature.VocabSize * FloatBits.Size(session.Signature.LogitsType);

    /// <summary>A row after the runs so far, [vocabulary]; it holds until the next run and the next call.</summary>
    /// <param name="logits">[rows, vocabulary], of the model's type.</param>
    /// <param name="row">0 or more.</param>
    public ReadOnlySpan<float> Read(TensorMemory logits, long row)
    {
        ReadOnlySpan<byte> bytes = _place.Read(logits, row * RowBytes, RowBytes, ref _buffer);
        if (_type == TensorElementType.Float)
        {
            return MemoryMarshal.Cast<byte, float>(bytes);
        }

        FloatBits.ToSingle(_type, bytes, _row);
        return _row;
    }

    public void Dispose() => _buffer?.Dispose();
}
