// SPDX-License-Identifier: MIT
// One token of each sequence of a batch, whose pasts may be of unequal length.
using CatsOnnx.Memory;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Generation;

/// <summary>Runs the sequences of a batch forward, each at its own position. On a GPU without a CUDA graph.</summary>
internal sealed class BatchStep : IDisposable
{
    private readonly ModelSession _session;
    private readonly ModelSignature _signature;
    private readonly TensorPlace _place;
    private readonly BatchCache _cache;
    private readonly OrtIoBinding _binding;
    private readonly RunOptions _run;
    private readonly IntegerInput _ids;
    private readonly IntegerInput? _positions;
    private readonly IntegerInput? _mask;
    private readonly int[] _integers; // [rows, room]: what is written to an input
    private readonly string[] _counted;
    private readonly int[][] _active; // [counted][row]: active neurons of the last run
    private readonly OrtValue? _useCache;
    private readonly ScaleInput? _scale;
    private readonly LogitsReader _reader;
    private readonly TensorMemory _logitsMemory;
    private OrtValue? _logits;

    /// <param name="session">The model.</param>
    /// <param name="counted">Outputs with the active neurons of each token, flat int32.</param>
    /// <param name="rows">No sequences yet, with their width and side.</param>
    /// <param name="count">Sequences at most.</param>
    /// <param name="room">Tokens of a sequence at most.</param>
    /// <param name="shared">Whether keys and values have the shared layout.</param>
    /// <param name="thresholdScale">The scale of thresholds, or null for the model's own.</param>
    public BatchStep(ModelSession session, IEnumerable<string> counted, BatchRows rows, int count, int room, bool shared, float? thresholdScale)
    {
        _session = session;
        _signature = session.Signature;
        _place = session.Place;
        Rows = rows;
        _counted = [.. counted];
        _active = [.. _counted.Select(_ => new int[count])];
        _integers = new int[checked(count * room)];
        _cache = new BatchCache(_signature, _place, shared, count, room);
        _ids = new IntegerInput(_place, _signature.InputIds);
        _ids.Reserve(count);
        _positions = _signature.PositionIds is RoleInput positions ? new IntegerInput(_place, positions) : null;
        _positions?.Reserve(count);
        _mask = _signature.AttentionMask is RoleInput mask ? new IntegerInput(_place, mask) : null;
        _mask?.Reserve(_integers.Length);
        _reader = new LogitsReader(session);
        _logitsMemory = _place.Allocate((long)count * _reader.RowBytes);
        _binding = session.Inference.CreateIoBinding();
        _run = Runs.Plain(session);
        _scale = ScaleInput.Of(session);
        _scale?.Set(_binding, thresholdScale);
        if (_signature.UseCacheBranch is RoleInput branch)
        {
            _useCache = TokenTensors.MakeFlag(true);
            _binding.BindInput(branch.Name, _useCache);
        }
    }

    /// <summary>The sequences.</summary>
    public BatchRows Rows { get; private set; }

    /// <summary>Adds a sequence whose prompt was run alone.</summary>
    /// <param name="tokens">Tokens of the prompt.</param>
    /// <param name="from">Its keys and values.</param>
    public void Join(int tokens, KvCache from)
    {
        Rows.Add(tokens);
        _cache.Join(Rows, from);
    }

    /// <summary>Leaves out the other sequences.</summary>
    /// <param name="rows">Ascending, one at least.</param>
    public void Keep(ReadOnlySpan<int> rows)
    {
        BatchRows kept = Rows.Keep(rows);
        _cache.Keep(rows, Rows, kept);
        Rows = kept;
        _logits?.Dispose();
        _logits = null;
    }

    /// <summary>Runs the next token of each sequence.</summary>
    /// <param name="ids">[rows].</param>
    /// <param name="cancellationToken">Ends the run early.</param>
    public void Run(ReadOnlySpan<int> ids, CancellationToken cancellationToken)
    {
        WriteInputs(ids);
        BindOutputs();
        _cache.Bind(_binding, Rows);
        Runs.Run(_session, _run, _binding, cancellationToken);
        _cache.Advance();
        Rows.Advance();
        if (_counted.Length > 0)
        {
            ReadActive();
        }
    }

    /// <summary>The logits after a sequence's last token, [vocabulary]; they hold until the next call.</summary>
    public ReadOnlySpan<float> Logits(int row) => _reader.Read(_logitsMemory, row);

    /// <summary>Adds a sequence's active neurons of the last run to a counter.</summary>
    public void CountActive(int row, ActiveCounter counter)
    {
        for (int i = 0; i < _counted.Length; i++)
        {
            counter.Add(_counted[i], _active[i].AsSpan(row, 1));
        }
    }

    public void Dispose()
    {
        (_place as CudaPlace)?.Synchronize(); // a copy may be under way still
        _binding.Dispose();
        _cache.Dispose();
        _ids.Dispose();
        _positions?.Dispose();
        _mask?.Dispose();
        _useCache?.Dispose();
        _scale?.Dispose();
        _logits?.Dispose();
        _logitsMemory.Dispose();
        _reader.Dispose();
        _run.Dispose();
    }

    private void WriteInputs(ReadOnlySpan<int> ids)
    {
        bool again = !_place.BoundInputsStayCurrent;
        _ids.Write(0, ids);
        _ids.Bind(_binding, Rows.Count, 1, again);
        if (_positions is not null)
        {
            for (int row = 0; row < Rows.Count; row++)
            {
                _integers[row] = Rows.Length(row);
            }

            _positions.Write(0, _integers.AsSpan(0, Rows.Count));
            _positions.Bind(_binding, Rows.Count, 1, again);
        }

        if (_mask is not null)
        {
            Span<int> mask = _integers.AsSpan(0, Rows.Count * (Rows.Width + 1));
            Rows.WriteMask(mask);
            _mask.Write(0, mask);
            _mask.Bind(_binding, Rows.Count, Rows.Width + 1, again);
        }
    }

    private void BindOutputs()
    {
        if (_logits is null)
        {
            _logits = _place.View(_signature.LogitsType, [Rows.Count, 1, _signature.VocabSize], _logitsMemory.Start);
            _binding.BindOutput(_signature.Logits, _logits);
        }

        // A run leaves its results in the binding, and the next one may have other shapes.
        foreach (string name in _signature.ExtraOutputs)
        {
            _binding.BindOutputToDevice(name, OrtMemoryInfo.DefaultInstance);
        }
    }

    private void ReadActive()
    {
        string[] bound = _binding.GetOutputNames();
        using IDisposableReadOnlyCollection<OrtValue> values = _binding.GetOutputValues();
        for (int i = 0; i < _counted.Length; i++)
        {
            values[Array.IndexOf(bound, _counted[i])].GetTensorDataAsSpan<int>().CopyTo(_active[i]);
        }
    }
}
