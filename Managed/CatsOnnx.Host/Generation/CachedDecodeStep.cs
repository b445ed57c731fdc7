// SPDX-License-Identifier: MIT
// Decoding with a cache of keys and values: only the new tokens are computed, over one IOBinding that is kept.
using System.Runtime.InteropServices;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Generation;

/// <summary>Runs graphs with a cache of keys and values: only the new tokens are computed.</summary>
internal sealed class CachedDecodeStep : DecodeStep
{
    private readonly ModelSession _session;
    private readonly ModelSignature _signature;
    private readonly KvCache _cache;
    private readonly OrtIoBinding _binding;
    private readonly OrtValue? _scale;
    private readonly OrtValue? _useCache;
    private readonly OrtValue[] _singles; // ids, positions: [1, 1], for decoding
    private readonly float[] _lastRow;
    private readonly int _longestRun;
    private OrtValue? _mask;
    private OrtValue[] _several = []; // the same for runs of several tokens
    private CacheMemory? _maskMemory; // ones, capacity of the cache
    private CacheMemory? _logitsMemory;
    private OrtValue? _logits;
    private int _rows = -1; // tokens that ids, positions and logits are bound for

    public CachedDecodeStep(ModelSession session, CacheLayout layout, int prefillChunk)
    {
        _session = session;
        _signature = session.Signature;
        bool shared = layout == CacheLayout.Shared || (layout == CacheLayout.Auto && session.Config.PastPresentShareBuffer);
        _cache = shared ? new SharedKvCache(_signature) : new GrowingKvCache(_signature);
        _binding = session.Inference.CreateIoBinding();
        _lastRow = new float[_signature.VocabSize];
        _singles = MakeTokenInputs(1);

        // Graphs with a branch for the first run take the whole prompt there; others take it in pieces, which bounds the
        // memory of the logits.
        _longestRun = _signature.FixedSequence ?? (_signature.UseCacheBranch is null ? prefillChunk : int.MaxValue);
        if (_signature.ThresholdScale is RoleInput scale)
        {
            _scale = TokenTensors.MakeScalar(scale);
            _binding.BindInput(scale.Name, _scale);
        }

        if (_signature.UseCacheBranch is RoleInput branch)
        {
            _useCache = TokenTensors.MakeFlag(false);
            _binding.BindInput(branch.Name, _useCache);
        }

    }

    public override void Begin(int capacity, float? thresholdScale)
    {
        if (capacity > _cache.Capacity && _signature.AttentionMask is RoleInput mask)
        {
            _maskMemory?.Dispose();
            _maskMemory = new CacheMemory((long)capacity * MaskBytes(mask.Type));
            FillWithOnes(_maskMemory, mask.Type);
        }

        _cache.Reset(capacity, _binding);
        _scale?.GetTensorMutableDataAsSpan<float>().Fill(thresholdScale ?? 1);
    }

    public override ReadOnlySpan<float> Run(ReadOnlySpan<int> ids, RunOptions options, CancellationToken cancellationToken)
    {
        while (ids.Length > _longestRun)
        {
            RunOnce(ids[.._longestRun], options, cancellationToken);
            ids = ids[_longestRun..];
        }

        RunOnce(ids, options, cancellationToken);
        ReadOnlySpan<byte> bytes = _logits!.GetTensorMutableRawData();
        int rowBytes = _signature.VocabSize * FloatBits.Size(_signature.LogitsType);
        ReadOnlySpan<byte> last = bytes[^rowBytes..];
        if (_signature.LogitsType == TensorElementType.Float)
        {
            return MemoryMarshal.Cast<byte, float>(last);
        }

        FloatBits.ToSingle(_signature.LogitsType, last, _lastRow);
        return _lastRow;
    }

    public override void CountActive(ActiveCounter counter)
    {
        if (_signature.ExtraOutputs.Count == 0)
        {
            return;
        }

        string[] names = _binding.GetOutputNames();
        using IDisposableReadOnlyCollection<OrtValue> values = _binding.GetOutputValues();
        for (int i = 0; i < names.Length; i++)
        {
            if (counter.Counts(names[i]))
            {
                counter.Add(names[i], values[i].GetTensorDataAsSpan<int>());
            }
        }
    }

    public override void Dispose()
    {
        _binding.Dispose();
        _cache.Dispose();
        _scale?.Dispose();
        _useCache?.Dispose();
        _mask?.Dispose();
        _maskMemory?.Dispose();
        _logits?.Dispose();
        _logitsMemory?.Dispose();
        Free(_singles);
        Free(_several);
    }

    private void RunOnce(ReadOnlySpan<int> ids, RunOptions options, CancellationToken cancellationToken)
    {
        int past = _cache.Length;
        OrtValue[] inputs = BindRows(ids.Length);
        TokenTensors.Fill(inputs[0], ids);
        if (_signature.PositionIds is not null)
        {
            TokenTensors.FillWithRange(inputs[1], past);
        }

        if (_useCache is not null)
        {
            _useCache.GetTensorMutableDataAsSpan<bool>()[0] = past > 0;
        }

        if (_signature.AttentionMask is RoleInput mask)
        {
            _mask?.Dispose();
            int total = past + ids.Length;
            _mask = OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, mask.Type, [1, total], _maskMemory!.Start, (long)total * MaskBytes(mask.Type));
            _binding.BindInput(mask.Name, _mask);
        }

        _cache.Bind(_binding, ids.Length);
        Runs.Run(_session.Inference, options, _binding, cancellationToken);
        _cache.Advance(ids.Length);
    }

    /// <summary>Binds ids, positions and logits for runs of <paramref name="rows"/> tokens.</summary>
    private OrtValue[] BindRows(int rows)
    {
        OrtValue[] inputs = _singles;
        if (rows != 1)
        {
            if (rows != _rows)
            {
                Free(_several);
                _several = MakeTokenInputs(rows);
            }

            inputs = _several;
        }

        if (rows == _rows)
        {
            return inputs;
        }

        _binding.BindInput(_signature.InputIds.Name, inputs[0]);
        if (_signature.PositionIds is RoleInput positions)
        {
            _binding.BindInput(positions.Name, inputs[1]);
        }

        int logitRows = _signature.LogitsOfLastTokenOnly ? 1 : rows;
        long bytes = (long)logitRows * _signature.VocabSize * FloatBits.Size(_signature.LogitsType);
        _logits?.Dispose();
        _logits = null;
        if (_logitsMemory is null || _logitsMemory.Bytes < bytes)
        {
            _logitsMemory?.Dispose();
            _logitsMemory = new CacheMemory(bytes);
        }

        _logits = OrtValue.CreateTensorValueWithData(
            OrtMemoryInfo.DefaultInstance, _signature.LogitsType, [1, logitRows, _signature.VocabSize], _logitsMemory.Start, bytes);
        _binding.BindOutput(_signature.Logits, _logits);

        // A run leaves its results in the binding, and the next one must have their shapes: so bound anew when rows change.
        foreach (string name in _signature.ExtraOutputs)
        {
            _binding.BindOutputToDevice(name, OrtMemoryInfo.DefaultInstance);
        }

        _rows = rows;
        return inputs;
    }

    private OrtValue[] MakeTokenInputs(int rows) => _signature.PositionIds is RoleInput positions
        ? [TokenTensors.Make(_signature.InputIds.Type, rows), TokenTensors.Make(positions.Type, rows)]
        : [TokenTensors.Make(_signature.InputIds.Type, rows)];

    private static void Free(OrtValue[] values)
    {
        foreach (OrtValue value in values)
        {
            value.Dispose();
        }
    }

    private static int MaskBytes(TensorElementType type) => type == TensorElementType.Int64 ? 8 : 4;

    private static unsafe void FillWithOnes(CacheMemory memory, TensorElementType type)
    {
        if (type == TensorElementType.Int64)
        {
            new Span<long>((void*)memory.Start, checked((int)(memory.Bytes / 8))).Fill(1);
        }
        else
        {
            new Span<int>((void*)memory.Start, checked((int)(memory.Bytes / 4))).Fill(1);
        }
    }
}
