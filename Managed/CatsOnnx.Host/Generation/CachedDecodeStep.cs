// SPDX-License-Identifier: MIT
// Decoding with a cache of keys and values: only the new tokens are computed, over one IOBinding that is kept. On a GPU
// with a shared cache nothing changes from step to step but the contents of tensors, so that a CUDA graph can replay it.
using CatsOnnx.Memory;
using CatsOnnx.Sampling;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

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
    private readonly StepInputs _inputs;
    private readonly GreedyOnDevice? _greedy;
    private readonly ExtraOutputs _extra;
    private readonly OrtValue? _useCache;
    private readonly ScaleInput? _scale;
    private readonly LogitsReader _reader;
    private readonly int[] _nextIds; // [batch]
    private readonly int _batch;
    private readonly int _longestRun;
    private readonly bool _still; // decoding steps all have the same tensors
    private readonly bool _graph;
    private float? _scaleValue; // what it was last set to
    private TensorMemory? _logitsMemory;
    private OrtValue? _logits;
    private RunOptions? _prefill;
    private RunOptions? _decode;
    private bool _captured;
    private int _capture; // number of the CUDA graph; another one where a tensor's address changes
    private (int Rows, bool Decoding)? _bound; // the runs that logits are bound for
    private int _limit; // tokens that will be run
    private int _slot; // of the last choice on the device
    private int? _read; // the slot that was last waited for
    private bool _prepared; // the inputs of a step with _nextIds are in place already
    private bool _ahead; // that step is under way already

    /// <param name="session">The model.</param>
    /// <param name="options">Cache, prefill, counts.</param>
    /// <param name="batch">Sequences of equal length that are run together.</param>
    public CachedDecodeStep(ModelSession session, TokenGeneratorOptions options, int batch = 1)
    {
        _batch = batch;
        _session = session;
        _signature = session.Signature;
        _place = session.Place;
        bool shared = options.CacheLayout == CacheLayout.Shared || (options.CacheLayout == CacheLayout.Auto && session.Config.PastPresentShareBuffer);

        // On a GPU a shared buffer is bound once, which serves only where every node runs there (float32 GroupQueryAttention
        // does not): ONNX Runtime would capture such a graph, and says so.
        shared &= _place is not CudaPlace || session.UsesCudaGraph;
        _cache = shared ? new SharedKvCache(_signature, _place, batch) : new GrowingKvCache(_signature, _place, batch);
        _still = shared && _place is CudaPlace;
        _binding = session.Inference.CreateIoBinding();
        _scale = ScaleInput.Of(session);
        _reader = new LogitsReader(session);
        _nextIds = new int[batch];
        _inputs = new StepInputs(_place, _signature, batch);
        _greedy = GreedyOnDevice.Find(_place, _signature.LogitsType, batch);
        _extra = new ExtraOutputs(_signature.ExtraOutputs, [.. options.ActiveOutputs.Keys], _place, batch, _still);
        _graph = _still && options.CudaGraph && _extra.AllStay;

        // Graphs with a branch for the first run take the whole prompt there; others take it in pieces, which bounds the
        // memory of the logits. GroupQueryAttention takes several tokens over a past for one sequence alone.
        _longestRun = _signature.FixedSequence ?? (_signature.UseCacheBranch is null && batch == 1 ? options.PrefillChunk : int.MaxValue);
        if (_signature.UseCacheBranch is not null)
        {
            _useCache = TokenTensors.MakeFlag(false);
        }
    }

    /// <summary>The keys and values.</summary>
    public KvCache Cache => _cache;

    public override void Begin(int capacity, float? thresholdScale) => Begin(0, capacity, thresholdScale);

    // Graphs with a branch for the first run may take one token at a time after it.
    public override int Resume(int kept, int capacity, float? thresholdScale) =>
        Begin(_batch == 1 && _signature.UseCacheBranch is null ? Math.Min(kept, _cache.Length) : 0, capacity, thresholdScale);

    private int Begin(int kept, int capacity, float? thresholdScale)
    {
        _limit = capacity;
        if (_still)
        {
            long rounded = ((long)capacity + CapacityUnit - 1) / CapacityUnit * CapacityUnit;
            capacity = Math.Max(capacity, (int)Math.Min(rounded, _session.Config.ContextLength ?? int.MaxValue));
        }

        _prepared = false;
        _ahead = false;
        bool grow = capacity > _cache.Capacity;
        _inputs.Begin(capacity, grow);
        if (grow)
        {
            _bound = null;
            ForgetGraph();
        }

        kept = _cache.Reset(capacity, _binding, kept);
        if (kept > 0)
        {
            _inputs.Hold(kept);
        }

        MayRunAhead = true;
        SetScale(thresholdScale);

        // A request that was cancelled leaves its options terminated.
        _prefill?.Dispose();
        _prefill = Runs.Plain(_session);
        _decode?.Dispose();
        _decode = null;
        return kept;
    }

    public override void SetScale(float? thresholdScale)
    {
        _scaleValue = thresholdScale;
        _scale?.Set(_binding, thresholdScale);
    }

    // The run is one of decoding, so that a CUDA graph serves it too. A growing cache gets its present in the buffer that the next run
    // writes anew, a shared one in the place of the next token, which that token's own run overwrites.
    public override ReadOnlySpan<float> Peek(int id, float thresholdScale, CancellationToken cancellationToken)
    {
        if (_batch != 1)
        {
            throw new InvalidOperationException($"One token was given for {_batch} sequences.");
        }

        _read = null;
        TakeBack();
        float? own = _scaleValue;
        long ticks = RunTicks;
        SetScale(thresholdScale);
        try
        {
            RunOnce([id], 1, cancellationToken, stays: false);
            return Logits(0);
        }
        finally
        {
            SetScale(own);
            RunTicks = ticks;
        }
    }

    /// <summary>Waits for a step that was begun ahead.</summary>
    public void Drain() => (_place as CudaPlace)?.Synchronize();

    public override ReadOnlySpan<float> Run(ReadOnlySpan<int> ids, CancellationToken cancellationToken)
    {
        _read = null;
        TakeBack();
        RunAll(ids, cancellationToken);
        return Logits(0);
    }

    public override int Choose(ReadOnlySpan<int> ids, ISampler sampler, CancellationToken cancellationToken)
    {
        Span<int> chosen = stackalloc int[1];
        Choose(ids, sampler, chosen, cancellationToken);
        return chosen[0];
    }

    /// <summary>Runs the next tokens of every sequence and chooses the ones that follow.</summary>
    /// <param name="ids">[batch, tokens].</param>
    /// <param name="sampler">Chooses.</param>
    /// <param name="chosen">[batch]: the tokens that follow.</param>
    /// <param name="cancellationToken">Ends the run early.</param>
    public void Choose(ReadOnlySpan<int> ids, ISampler sampler, Span<int> chosen, CancellationToken cancellationToken)
    {
        _read = null;
        if (_greedy is null || sampler is not Greedy)
        {
            TakeBack();
            RunAll(ids, cancellationToken);
            for (int sequence = 0; sequence < chosen.Length; sequence++)
            {
                chosen[sequence] = sampler.Sample(Logits(sequence));
            }

            return;
        }

        if (!_ahead || !ids.SequenceEqual(_nextIds))
        {
            TakeBack();
            RunAll(ids, cancellationToken);
            ChooseOnDevice();
        }

        // The step after is begun before this one's token is read, so that the GPU never waits for the caller.
        int slot = _slot;
        _ahead = false;
        if (MayRunAhead && _prepared && _still && _cache.Length < _limit)
        {
            RunOnce([], 1, cancellationToken);
            ChooseOnDevice();
            _ahead = true;
        }

        _greedy.Wait(slot, chosen);
        chosen.CopyTo(_nextIds);
        _read = slot;
    }

    public override void CountActive(ActiveCounter counter) => _extra.Count(_binding, counter, _read);

    public override void Dispose()
    {
        Drain();
        _binding.Dispose();
        _cache.Dispose();
        _inputs.Dispose();
        _greedy?.Dispose();
        _extra.Dispose();
        _scale?.Dispose();
        _useCache?.Dispose();
        _logits?.Dispose();
        _logitsMemory?.Dispose();
        _reader.Dispose();
        _prefill?.Dispose();
        _decode?.Dispose();
    }

    /// <summary>Rows of logits that a run gives for each sequence.</summary>
    private int LogitRows => _signature.LogitsOfLastTokenOnly ? 1 : _bound!.Value.Rows;

    /// <summary>The last row of a sequence's logits.</summary>
    private long LastRow(int sequence) => (((long)sequence + 1) * LogitRows) - 1;

    private ReadOnlySpan<float> Logits(int sequence) => _reader.Read(_logitsMemory!, LastRow(sequence));

    private void RunAll(ReadOnlySpan<int> ids, CancellationToken cancellationToken)
    {
        int length = ids.Length / _batch;
        if (length <= _longestRun)
        {
            RunOnce(ids, length, cancellationToken);
            return;
        }

        for (int done = 0; done < length; done += _longestRun)
        {
            // The same piece of each sequence, one after the other.
            int piece = Math.Min(_longestRun, length - done);
            int[] pieces = new int[piece * _batch];
            for (int sequence = 0; sequence < _batch; sequence++)
            {
                ids.Slice((sequence * length) + done, piece).CopyTo(pieces.AsSpan(sequence * piece));
            }

            RunOnce(pieces, piece, cancellationToken);
        }
    }

    // The choice of the last run's tokens goes into the stream, and with it the inputs of the step after, where decoding has
    // its mask so and the token has room: the last one of a full cache is not run.
    private void ChooseOnDevice()
    {
        int position = _cache.Length;
        int stride = _cache.Capacity;
        _prepared = position < stride && _inputs.HasStride(stride);
        _slot = 1 - _slot;
        _extra.Keep(_slot);
        _greedy!.Launch(
            _slot, _logitsMemory!.Start + (nint)(LastRow(0) * _reader.RowBytes), _signature.VocabSize, (long)LogitRows * _signature.VocabSize,
            _inputs.Ids, _inputs.Positions, _prepared ? _inputs.Mask : null, stride, position);
        if (_prepared)
        {
            _inputs.Wrote(position + 1);
        }
    }

    // Forgets a step that was begun with other tokens than now come.
    private void TakeBack()
    {
        if (_ahead)
        {
            if (_cache.Length < _cache.Capacity)
            {
                _inputs.Unmask(_cache.Length); // of the token that the step's own choice would have run next
            }

            _cache.Shorten(1);
            _ahead = false;
            _prepared = false;
        }
    }

    // ids: [batch, length]; none where the device has made the inputs. stays: whether the tokens become part of the sequence.
    private void RunOnce(ReadOnlySpan<int> ids, int length, CancellationToken cancellationToken, bool stays = true)
    {
        _cache.RequireRoom(length);
        int past = _cache.Length;
        int total = past + length;
        bool decoding = length == 1 && past > 0;
        int masked = decoding && _still ? _cache.Capacity : total;
        BindLogits(length, decoding);
        if (ids.Length > 0 && !(decoding && _prepared && ids.SequenceEqual(_nextIds)))
        {
            _inputs.Write(ids, past, length, masked);
        }

        _prepared = false;
        _inputs.Bind(_binding, length, masked, again: !_place.BoundInputsStayCurrent && !(decoding && _still));
        if (_useCache is not null)
        {
            _useCache.GetTensorMutableDataAsSpan<bool>()[0] = past > 0;
            _binding.BindInput(_signature.UseCacheBranch!.Name, _useCache);
        }

        _cache.Bind(_binding, length);
        if (decoding)
        {
            _decode ??= _place is CudaPlace ? Runs.Decoding(_graph ? _capture : null) : Runs.Plain(_session);
            RunTicks += Runs.Run(_session, _decode, _binding, cancellationToken, captures: _graph && !_captured);
            _captured = true;
        }
        else
        {
            RunTicks += Runs.Run(_session, _prefill!, _binding, cancellationToken);
            _extra.Learn(_binding);
        }

        if (stays)
        {
            _cache.Advance(length);
        }
    }

    /// <summary>Makes room for ids, positions and logits of a run, and binds its outputs.</summary>
    private void BindLogits(int rows, bool decoding)
    {
        if (_bound == (rows, decoding))
        {
            return;
        }

        bool moved = _inputs.Reserve(rows);
        int logitRows = _signature.LogitsOfLastTokenOnly ? 1 : rows;
        long bytes = (long)_batch * logitRows * _reader.RowBytes;
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
        _logits = _place.View(_signature.LogitsType, [_batch, logitRows, _signature.VocabSize], _logitsMemory.Start);
        _binding.BindOutput(_signature.Logits, _logits);
        _extra.Bind(_binding, decoding);
        _bound = (rows, decoding);
    }

    private void ForgetGraph()
    {
        _capture = _session.NextCudaGraph();
        _captured = false;
        _decode?.Dispose();
        _decode = null;
    }
}
