// SPDX-License-Identifier: MIT
// For GroupQueryAttention (GenAI): one buffer a tensor, bound as past and as present; new tokens are written in place.
using CatsOnnx.Memory;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Generation;

/// <summary>The shared layout: the tensors always have room for all tokens, the attention mask says how many count.</summary>
internal sealed class SharedKvCache : KvCache
{
    private readonly OrtValue?[] _values; // [2 * layers]: keys and values, layer by layer
    private TensorMemory? _memory;
    private bool _bound;

    public SharedKvCache(ModelSignature signature, TensorPlace place, int batch)
        : base(signature, place, batch)
    {
        _values = new OrtValue?[2 * signature.Layers.Count];
    }

    public override (nint Start, int Room) Held(int tensor) =>
        (_memory!.Start + (nint)Enumerable.Range(0, tensor).Sum(i => TensorMemory.Aligned(Bytes(Signature.Layers[i / 2], Capacity))), Capacity);

    public override void Dispose()
    {
        foreach (OrtValue? value in _values)
        {
            value?.Dispose();
        }

        Array.Clear(_values);
        _memory?.Dispose();
    }

    protected override void Allocate(int capacity)
    {
        Dispose();
        long bytes = Signature.Layers.Sum(layer => 2 * TensorMemory.Aligned(Bytes(layer, capacity)));
        _memory = Place.Allocate(bytes);
        nint start = _memory.Start;
        for (int i = 0; i < _values.Length; i++)
        {
            LayerCache layer = Signature.Layers[i / 2];
            _values[i] = View(layer, start, capacity);
            start += (nint)TensorMemory.Aligned(Bytes(layer, capacity));
        }

        _bound = false;
    }

    // On a GPU only where the memory stays: a larger one would be another CUDA graph anyway, and prefill is fast there.
    protected override bool Keep(int tokens, int capacity)
    {
        if (capacity == Capacity)
        {
            return true;
        }

        if (Place is not CpuPlace)
        {
            return false;
        }

        TensorMemory old = _memory!;
        _memory = null;
        Allocate(capacity);
        nint from = old.Start;
        nint to = _memory!.Start;
        for (int i = 0; i < _values.Length; i++)
        {
            LayerCache layer = Signature.Layers[i / 2];
            CopyHeads(layer, from, Capacity, to, capacity, tokens);
            from += (nint)TensorMemory.Aligned(Bytes(layer, Capacity));
            to += (nint)TensorMemory.Aligned(Bytes(layer, capacity));
        }

        old.Dispose();
        return true;
    }

    protected override void Begin(OrtIoBinding binding)
    {
        if (_bound)
        {
            return;
        }

        for (int i = 0; i < _values.Length; i++)
        {
            LayerCache layer = Signature.Layers[i / 2];
            bool keys = i % 2 == 0;
            binding.BindInput(keys ? layer.PastKey : layer.PastValue, _values[i]!);
            binding.BindOutput(keys ? layer.PresentKey : layer.PresentValue, _values[i]!);
        }

        _bound = true;
    }

    // Nothing to do from run to run: the same tensors stay bound.
    protected override void BindRun(OrtIoBinding binding, int newTokens)
    {
    }

    protected override void Advanced()
    {
    }
}
