// SPDX-License-Identifier: MIT
// Decoding with a cache of keys and values: only the new tokens are computed, over one IOBinding that is kept. On a GPU
// with a shared cache nothing changes from step to step but the contents of tensors, so that a CUDA graph can replay it.
using System.Runtime.InteropServices;
using CatsOnnx.Memory;
using CatsOnnx.Sampling;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Generation;

/// <summary>Runs graphs with a cache of keys and values: only the new tokens are computed.</summary>
internal sealed class CachedDecodeStep : DecodeStep
{
    // A shared cache on a GPU has room for a multiple of this: another size is another CUDA graph.
    private const int CapacityUnit = 512;

    private readonly ModelSession _session;
    private readonly ModelSignature _signature;
    private readonly TensorPlace _place;
    private readonly KvCache _cache;
    private readonly OrtIoBinding _binding;
    private readonly IntegerInput _ids;
    private readonly IntegerInput? _positions;
    private readonly IntegerInput? _mask; // ones for the tokens held, then zeros
    private readonly GreedyOnDevice? _greedy;
    private readonly ExtraOutputs _extra;
    private readonly OrtValue? _useCache;
    private readonly float[] _lastRow;
    private readonly int _longestRun;
    private readonly bool _still; // decoding steps all have the same tensors
    private readonly bool _graph;
    private TensorMemory? _scaleMemory;
    private OrtValue? _scale;
    private TensorMemory? _logitsMemory;
    private TensorMemory? _logitsBuffer;
    private OrtValue? _logits;
    private RunOptions? _prefill;
    private RunOptions? _decode;
    private int _capture = 1; // number of the CUDA graph; another one where a tensor's address changes
    private (int Rows, bool Decoding)? _bound; // the runs that logits are bound for
    private int _written; // elements of the mask that may be ones
    private (int Id, int Position)? _prepared; // inputs of a step that are in place already

    public CachedDecodeStep(ModelSession session, TokenGeneratorOptions options)
    {
        _session = session;
        _signature = session.Signature;
        _place = session.Place;
        bool shared = options.CacheLayout == CacheLayout.Shared || (options.CacheLayout == CacheLayout.Auto && session.Config.PastPresentShareBuffer);
        _cache = shared ? new SharedKvCache(_signature, _place) : new GrowingKvCache(_signature, _place);
        _still = shared && _place is CudaPlace;
        _binding = session.Inference.CreateIoBinding();
        _lastRow = new float[_signature.VocabSize];
        _ids = new IntegerInput(_place, _signature.InputIds);
        _positions = _signature.PositionIds is RoleInput positions ? new IntegerInput(_place, positions) : null;
        _mask = _signature.AttentionMask is RoleInput mask ? new IntegerInput(_place, mask) : null;
        _greedy = GreedyOnDevice.Find(_place, _signature.LogitsType);
        _extra = new ExtraOutputs(_signature.ExtraOutputs, [.. options.ActiveOutputs.Keys], _place, _still);
        _graph = _still && session.UsesCudaGraph && _extra.AllStay;

        // Graphs with a branch for the first run take the whole prompt there; others take it in pieces, which bounds the
        // memory of the logits.
        _longestRun = _signature.FixedSequence ?? (_signature.UseCacheBranch is null ? options.PrefillChunk : int.MaxValue);
        if (_signature.ThresholdScale is RoleInput scale)
        {
            _scaleMemory = _place.Allocate(sizeof(float));
            _scale = _place.View(TensorElementType.Float, [.. scale.Dimensions.Select(size => (long)Math.Max(size, 1))], _scaleMemory.Start);
        }

        if (_signature.UseCacheBranch is not null)
        {
            _useCache = TokenTensors.MakeFlag(false);
        }
    }

    public override void Begin(int capacity, float? thresholdScale)
    {
        if (_still)
        {
            long rounded = ((long)capacity + CapacityUnit - 1) / CapacityUnit * CapacityUnit;
            capacity = Math.Max(capacity, (int)Math.Min(rounded, _session.Config.ContextLength ?? int.MaxValue));
        }

        _prepared = null;
        if (_written > 0)
        {
            _mask?.Clear(_written);
            _written = 0;
        }

        if (capacity > _cache.Capacity)
        {
            _mask?.Reserve(capacity);
            _bound = null;
            ForgetGraph();
        }

        _cache.Reset(capacity, _binding);
        if (_scale is not null)
        {
            _place.Write(_scaleMemory!, 0, MemoryMarshal.AsBytes([thresholdScale ?? 1]));
            _binding.BindInput(_signature.ThresholdScale!.Name, _scale);
        }

        // A request that was cancelled leaves its options terminated.
        _prefill?.Dispose();
        _prefill = Runs.Plain(_session);
        _decode?.Dispose();
        _decode = null;
    }

    public override ReadOnlySpan<float> Run(ReadOnlySpan<int> ids, CancellationToken cancellationToken)
    {
        RunAll(ids, cancellationToken);
        int rowBytes = RowBytes;
        ReadOnlySpan<byte> last = _place.Read(_logitsMemory!, LastRow, rowBytes, ref _logitsBuffer);
        if (_signature.LogitsType == TensorElementType.Float)
        {
            return MemoryMarshal.Cast<byte, float>(last);
        }

        FloatBits.ToSingle(_signature.LogitsType, last, _lastRow);
        return _lastRow;
    }

    public override int Choose(ReadOnlySpan<int> ids, ISampler sampler, CancellationToken cancellationToken)
    {
        if (_greedy is null || sampler is not Greedy)
        {
            return base.Choose(ids, sampler, cancellationToken);
        }

        RunAll(ids, cancellationToken);
        int position = _cache.Length;
        bool fits = position < _cache.Capacity; // the last token of a full cache is not run
        int id = _greedy.Choose(_logitsMemory!.Start + (nint)LastRow, _signature.VocabSize, _ids, _positions, fits ? _mask : null, position);
        _prepared = (id, position);
        _written = Math.Max(_written, fits ? position + 1 : 0);
        return id;
    }

    public override void CountActive(ActiveCounter counter) => _extra.Count(_binding, counter);

    public override void Dispose()
    {
        _binding.Dispose();
        _cache.Dispose();
        _ids.Dispose();
        _positions?.Dispose();
        _mask?.Dispose();
        _greedy?.Dispose();
        _extra.Dispose();
        _scale?.Dispose();
        _scaleMemory?.Dispose();
        _useCache?.Dispose();
        _logits?.Dispose();
        _logitsMemory?.Dispose();
        _logitsBuffer?.Dispose();
        _prefill?.Dispose();
        _decode?.Dispose();
    }

    private int RowBytes => _signature.VocabSize * FloatBits.Size(_signature.LogitsType);

    /// <summary>Where the last row of the logits begins.</summary>
    private long LastRow => _signature.LogitsOfLastTokenOnly ? 0 : (long)(_bound!.Value.Rows - 1) * RowBytes;

    private void RunAll(ReadOnlySpan<int> ids, CancellationToken cancellationToken)
    {
        while (ids.Length > _longestRun)
        {
            RunOnce(ids[.._longestRun], cancellationToken);
            ids = ids[_longestRun..];
        }

        RunOnce(ids, cancellationToken);
    }

    private void RunOnce(ReadOnlySpan<int> ids, CancellationToken cancellationToken)
    {
        int past = _cache.Length;
        int total = past + ids.Length;
        bool decoding = ids.Length == 1 && past > 0;
        BindLogits(ids.Length, decoding);
        if (_prepared != (ids[0], past) || !decoding)
        {
            _ids.Write(0, ids);
            _positions?.WriteRange(0, ids.Length, past, 1);
            _mask?.WriteRange(past, ids.Length, 1, 0);
            _written = total;
        }

        _prepared = null;
        bool again = !_place.BoundInputsStayCurrent && !(decoding && _still);
        _ids.Bind(_binding, ids.Length, again);
        _positions?.Bind(_binding, ids.Length, again);
        _mask?.Bind(_binding, decoding && _still ? _cache.Capacity : total, again);
        if (_useCache is not null)
        {
            _useCache.GetTensorMutableDataAsSpan<bool>()[0] = past > 0;
            _binding.BindInput(_signature.UseCacheBranch!.Name, _useCache);
        }

        _cache.Bind(_binding, ids.Length);
        if (decoding)
        {
            _decode ??= _place is CudaPlace ? Runs.Decoding(_graph ? _capture : null) : Runs.Plain(_session);
            Runs.Run(_session, _decode, _binding, cancellationToken);
        }
        else
        {
            Runs.Run(_session, _prefill!, _binding, cancellationToken);
            _extra.Learn(_binding);
        }

        _cache.Advance(ids.Length);
    }

    /// <summary>Makes room for ids, positions and logits of a run, and binds its outputs.</summary>
    private void BindLogits(int rows, bool decoding)
    {
        if (_bound == (rows, decoding))
        {
            return;
        }

        bool moved = _ids.Reserve(rows) | _positions?.Reserve(rows) == true;
        int logitRows = _signature.LogitsOfLastTokenOnly ? 1 : rows;
        long bytes = (long)logitRows * RowBytes;
        if (_logitsMemory is null || _logitsMemory.Bytes < bytes)
        {
            _logitsMemory?.Dispose();
            _logitsMemory = _place.Allocate(bytes);
            moved = true;
        }

        if (moved)
        {
            ForgetGraph();
        }

        // A run leaves its results in the binding, and the next one must have their shapes: so bound anew when rows change.
        _logits?.Dispose();
        _logits = _place.View(_signature.LogitsType, [1, logitRows, _signature.VocabSize], _logitsMemory.Start);
        _binding.BindOutput(_signature.Logits, _logits);
        _extra.Bind(_binding, decoding);
        _bound = (rows, decoding);
    }

    private void ForgetGraph()
    {
        _capture++;
        _decode?.Dispose();
        _decode = null;
    }
}
