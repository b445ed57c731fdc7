// SPDX-License-Identifier: MIT
// The keys and values of sequences of unequal length, in one rectangle for each tensor; rows that have ended are left out.
using CatsOnnx.Memory;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Generation;

/// <summary>Tensors [rows, key value heads, tokens, head size]: past and present in one buffer with room for all tokens
/// (shared), or in two that change places and are as long as the tokens held (growing).</summary>
internal sealed class BatchCache : IDisposable
{
    private readonly ModelSignature _signature;
    private readonly TensorPlace _place;
    private readonly bool _shared;
    private readonly int _room;
    private readonly long[] _offsets; // [2 * layers]: where each tensor begins in either buffer
    private readonly OrtValue?[] _presents; // [2 * layers], growing alone
    private readonly OrtValue?[] _pasts; // [2 * layers]: keys and values, layer by layer
    private TensorMemory _memory;
    private TensorMemory? _other; // growing: where the next present goes
    private bool _bound; // shared: the tensors stay bound

    /// <param name="signature">The model's layers.</param>
    /// <param name="place">Its session's memory.</param>
    /// <param name="shared">Whether present is past's own buffer.</param>
    /// <param name="rows">Sequences at most.</param>
    /// <param name="room">Tokens of a row at most.</param>
    public BatchCache(ModelSignature signature, TensorPlace place, bool shared, int rows, int room)
    {
        _signature = signature;
        _place = place;
        _shared = shared;
        _room = room;
        _offsets = new long[2 * signature.Layers.Count];
        _pasts = new OrtValue?[_offsets.Length];
        _presents = new OrtValue?[_offsets.Length];
        long bytes = 0;
        for (int i = 0; i < _offsets.Length; i++)
        {
            _offsets[i] = bytes;
            bytes += TensorMemory.Aligned(rows * RowBytes(Layer(i), room));
        }

        _memory = place.Allocate(bytes);
        try
        {
            _other = shared ? null : place.Allocate(bytes);
        }
        catch
        {
            _memory.Dispose();
            throw;
        }
    }

    /// <summary>Takes the keys and values of a sequence that was run alone into the last row.</summary>
    public void Join(BatchRows rows, KvCache from)
    {
        int row = rows.Count - 1;
        for (int i = 0; i < _offsets.Length; i++)
        {
            (nint start, int fromRoom) = from.Held(i);
            Copy(i, start, fromRoom, At(_memory, i, rows, row), RowRoom(rows), rows.Length(row));
        }
    }

    /// <summary>Leaves out the other rows, and the columns that only they needed.</summary>
    /// <param name="kept">Ascending.</param>
    /// <param name="before">The rows as they are.</param>
    /// <param name="after">The kept ones.</param>
    public void Keep(ReadOnlySpan<int> kept, BatchRows before, BatchRows after)
    {
        TensorMemory to = _other ?? _memory;
        for (int i = 0; i < _offsets.Length; i++)
        {
            for (int row = 0; row < kept.Length; row++)
            {
                if (_shared && kept[row] == row)
                {
                    continue;
                }

                // What lies in the padding counts 0 times; 0 times NaN would still be NaN.
                if (after.First(row) > 0)
                {
                    long bytes = RowBytes(Layer(i), RowRoom(after));
                    _place.Clear(to, _offsets[i] + (row * bytes), bytes);
                }

                Copy(i, At(_memory, i, before, kept[row]), RowRoom(before), At(to, i, after, row), RowRoom(after), after.Length(row));
            }
        }

        if (_other is not null)
        {
            (_memory, _other) = (_other, _memory);
        }

        Free(_pasts);
        _bound = false;
    }

    /// <summary>Binds past and present before a run of one token of each row.</summary>
    public void Bind(OrtIoBinding binding, BatchRows rows)
    {
        if (rows.Width >= _room)
        {
            throw new InvalidOperationException($"The cache holds {rows.Width} tokens a row and has room for {_room}: one more does not fit.");
        }

        if (_bound)
        {
            return;
        }

        Free(_presents);
        for (int i = 0; i < _offsets.Length; i++)
        {
            LayerCache layer = Layer(i);
            bool keys = i % 2 == 0;
            _pasts[i] ??= View(i, _memory, rows.Count, RowRoom(rows));
            _presents[i] = _shared ? null : View(i, _other!, rows.Count, rows.Width + 1);
            binding.BindInput(keys ? layer.PastKey : layer.PastValue, _pasts[i]!);
            binding.BindOutput(keys ? layer.PresentKey : layer.PresentValue, _presents[i] ?? _pasts[i]!);
        }

        _bound = _shared;
    }

    /// <summary>Takes the new tokens in after a run.</summary>
    public void Advance()
    {
        if (_other is not null)
        {
            (_memory, _other) = (_other, _memory);
            Free(_pasts);
            _presents.CopyTo(_pasts, 0);
            Array.Clear(_presents);
        }
    }

    public void Dispose()
    {
        Free(_pasts);
        Free(_presents);
        _memory.Dispose();
        _other?.Dispose();
    }

    private static void Free(OrtValue?[] values)
    {
        foreach (OrtValue? value in values)
        {
            value?.Dispose();
        }

        Array.Clear(values);
    }

    private LayerCache Layer(int tensor) => _signature.Layers[tensor / 2];

    private long TokenBytes(LayerCache layer) => (long)layer.HeadDim * FloatBits.Size(_signature.CacheType);

    private long RowBytes(LayerCache layer, int room) => layer.KeyValueHeads * room * TokenBytes(layer);

    /// <summary>Tokens that each head of a row has room for.</summary>
    private int RowRoom(BatchRows rows) => _shared ? _room : rows.Width;

    /// <summary>Where a row's first token lies.</summary>
    private nint At(TensorMemory memory, int tensor, BatchRows rows, int row)
    {
        LayerCache layer = Layer(tensor);
        return memory.Start + (nint)(_offsets[tensor] + (row * RowBytes(layer, RowRoom(rows))) + (rows.First(row) * TokenBytes(layer)));
    }

    private void Copy(int tensor, nint from, int fromRoom, nint to, int toRoom, int tokens)
    {
        LayerCache layer = Layer(tensor);
        long token = TokenBytes(layer);
        _place.CopyRows(from, fromRoom * token, to, toRoom * token, tokens * token, layer.KeyValueHeads);
    }

    private OrtValue View(int tensor, TensorMemory memory, int rows, int tokens)
    {
        LayerCache layer = Layer(tensor);
        return _place.View(_signature.CacheType, [rows, layer.KeyValueHeads, tokens, layer.HeadDim], memory.Start + (nint)_offsets[tensor]);
    }
}
