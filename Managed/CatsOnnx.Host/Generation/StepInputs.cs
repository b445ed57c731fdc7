// SPDX-License-Identifier: MIT
// Ids, positions and mask of a run of several sequences, in their session's memory.
using CatsOnnx.Memory;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Generation;

/// <summary>The integer inputs of a language model, where it has them.</summary>
/// <param name="place">The session's memory.</param>
/// <param name="signature">The model's inputs.</param>
/// <param name="batch">Sequences of equal length.</param>
internal sealed class StepInputs(TensorPlace place, ModelSignature signature, int batch) : IDisposable
{
    private readonly IntegerInput _ids = new(place, signature.InputIds);
    private readonly IntegerInput? _positions = signature.PositionIds is RoleInput positions ? new IntegerInput(place, positions) : null;
    private readonly IntegerInput? _mask = signature.AttentionMask is RoleInput mask ? new IntegerInput(place, mask) : null; // ones for the tokens held, then zeros
    private int _written; // elements of the mask that may be ones
    private int _stride; // elements of a row of the mask as it was last written

    public IntegerInput Ids => _ids;

    public IntegerInput? Positions => _positions;

    public IntegerInput? Mask => _mask;

    /// <summary>Begins sequences; the mask gets a new address where <paramref name="grow"/> is set.</summary>
    public void Begin(int capacity, bool grow)
    {
        if (_written > 0)
        {
            _mask?.Clear(_written);
        }

        _written = 0;
        _stride = 0;
        if (grow)
        {
            _mask?.Reserve(checked(capacity * batch));
        }
    }

    /// <summary>Takes note of tokens that a single sequence begins with, and that need not be run.</summary>
    public void Hold(int tokens)
    {
        _mask?.WriteRange(0, tokens, 1, 0);
        Wrote(tokens);
    }

    /// <summary>Makes room for runs of this many tokens of each sequence.</summary>
    /// <returns>Whether an address is new.</returns>
    public bool Reserve(int length) => _ids.Reserve(length * batch) | _positions?.Reserve(length * batch) == true;

    /// <summary>Writes a run's inputs.</summary>
    /// <param name="ids">[batch, length].</param>
    /// <param name="past">Tokens of each sequence before.</param>
    /// <param name="length">New tokens of each.</param>
    /// <param name="stride">Elements of a row of the mask, at least past + length.</param>
    public void Write(ReadOnlySpan<int> ids, int past, int length, int stride)
    {
        _ids.Write(0, ids);
        for (int sequence = 0; _positions is not null && sequence < batch; sequence++)
        {
            _positions.WriteRange(sequence * length, length, past, 1);
        }

        if (_mask is null)
        {
            return;
        }

        // Earlier ones stay where they are as long as rows begin where they did.
        int first = batch == 1 || stride == _stride ? past : 0;
        if (first == 0)
        {
            _mask.Clear(_written);
        }

        for (int sequence = 0; sequence < batch; sequence++)
        {
            _mask.WriteRange((sequence * stride) + first, past + length - first, 1, 0);
        }

        _stride = stride;
        Wrote(past + length);
    }

    /// <summary>Whether the mask's rows are this far apart, so that a token can be added to each by one element.</summary>
    public bool HasStride(int stride) => batch == 1 || _stride == stride;

    /// <summary>Takes note of ones that the device wrote, up to this many tokens of each sequence.</summary>
    public void Wrote(int tokens) => _written = Math.Max(_written, ((batch - 1) * _stride) + tokens);

    /// <summary>Takes back the one at a position of each sequence.</summary>
    public void Unmask(int position)
    {
        for (int sequence = 0; _mask is not null && sequence < batch; sequence++)
        {
            _mask.WriteRange((sequence * _stride) + position, 1, 0, 0);
        }
    }

    /// <summary>Binds the inputs of a run.</summary>
    /// <param name="binding">The binding.</param>
    /// <param name="length">Tokens of each sequence.</param>
    /// <param name="masked">Elements of a row of the mask.</param>
    /// <param name="again">Whether what is bound must be bound once more, because ONNX Runtime copied it.</param>
    public void Bind(OrtIoBinding binding, int length, int masked, bool again)
    {
        _ids.Bind(binding, batch, length, again);
        _positions?.Bind(binding, batch, length, again);
        _mask?.Bind(binding, batch, masked, again);
    }

    public void Dispose()
    {
        _ids.Dispose();
        _positions?.Dispose();
        _mask?.Dispose();
    }
}
