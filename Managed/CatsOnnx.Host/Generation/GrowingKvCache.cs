// SPDX-License-Identifier: MIT
// For graphs that concatenate (Optimum, torch): past lies in one buffer, present goes to the other, then they change places.
using CatsOnnx.Memory;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Generation;

/// <summary>The growing layout: the tensors are exactly as long as the tokens held.</summary>
internal sealed class GrowingKvCache : KvCache
{
    private TensorMemory? _pastMemory; // every tensor's place, capacity tokens each
    private TensorMemory? _presentMemory;
    private readonly long[] _offsets; // [2 * layers]: where each tensor begins in either buffer
    private OrtValue?[] _past; // [2 * layers]: keys and values, layer by layer
    private OrtValue?[] _present;

    public GrowingKvCache(ModelSignature signature, TensorPlace place, int batch)
        : base(signature, place, batch)
    {
        _offsets = new long[2 * signature.Layers.Count];
        _past = new OrtValue?[_offsets.Length];
        _present = new OrtValue?[_offsets.Length];
    }

    public override (nint Start, int Room) Held(int tensor) => (_pastMemory!.Start + (nint)_offsets[tensor], Length);

    public override void Dispose()
    {
        Free(_past);
        Free(_present);
        _pastMemory?.Dispose();
        _presentMemory?.Dispose();
    }

    protected override void Allocate(int capacity)
    {
        Dispose();
        long bytes = 0;
        for (int i = 0; i < _offsets.Length; i++)
        {
            _offsets[i] = bytes;
            bytes += TensorMemory.Aligned(Bytes(Signature.Layers[i / 2], capacity));
        }

        _pastMemory = Place.Allocate(bytes);
        _presentMemory = Place.Allocate(bytes);
    }

    // The tensors are as long as the tokens held, so that fewer tokens move the heads together.
    protected override bool Keep(int tokens, int capacity)
    {
        if (capacity == Capacity && tokens == Length)
        {
            return true;
        }

        if (Place is not CpuPlace)
        {
            return false;
        }

        TensorMemory? old = null;
        long[] offsets = [.. _offsets];
        if (capacity > Capacity)
        {
            old = _pastMemory;
            _pastMemory = null;
            Allocate(capacity);
        }

        for (int i = 0; i < _offsets.Length; i++)
        {
            CopyHeads(Signature.Layers[i / 2], (old ?? _pastMemory!).Start + (nint)offsets[i], Length, _pastMemory!.Start + (nint)_offsets[i], tokens, tokens);
        }

        old?.Dispose();
        return true;
    }

    protected override void Begin(OrtIoBinding binding)
    {
        Free(_past);
        for (int i = 0; i < _past.Length; i++)
        {
            _past[i] = View(Signature.Layers[i / 2], _pastMemory!.Start + (nint)_offsets[i], Length);
        }
    }

    protected override void BindRun(OrtIoBinding binding, int newTokens)
    {
        Free(_present);
        for (int i = 0; i < _present.Length; i++)
        {
            LayerCache layer = Signature.Layers[i / 2];
            bool keys = i % 2 == 0;
            _present[i] = View(layer, _presentMemory!.Start + (nint)_offsets[i], Length + newTokens);
            binding.BindInput(keys ? layer.PastKey : layer.PastValue, _past[i]!);
            binding.BindOutput(keys ? layer.PresentKey : layer.PresentValue, _present[i]!);
        }
    }

    protected override void Advanced()
    {
        (_past, _present) = (_present, _past);
        (_pastMemory, _presentMemory) = (_presentMemory, _pastMemory);
    }

    private static void Free(OrtValue?[] values)
    {
        foreach (OrtValue? value in values)
        {
            value?.Dispose();
        }

        Array.Clear(values);
    }
}
