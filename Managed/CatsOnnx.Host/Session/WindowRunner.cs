// SPDX-License-Identifier: MIT
// Runs windows of tokens without a past, one after another, with inputs and outputs that are made once for each length.
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Session;

/// <summary>Runs windows on a session. One at a time; several runners may share a session.</summary>
public sealed class WindowRunner : IDisposable
{
    private readonly ModelSession _session;
    private readonly Lock _running = new();
    private readonly List<OrtValue> _owned = []; // inputs and outputs of the present length
    private readonly Dictionary<string, OrtValue> _extra = [];
    private OrtIoBinding? _binding;
    private OrtValue? _ids;
    private OrtValue? _logits;
    private OrtValue? _scale;
    private IDisposableReadOnlyCollection<OrtValue>? _results;
    private float[] _floats = [];
    private int _length = -1;
    private bool _disposed;

    /// <summary>A runner on a session.</summary>
    /// <param name="session">The model; it must outlive the runner.</param>
    public WindowRunner(ModelSession session)
    {
        ArgumentNullException.ThrowIfNull(session);
        _session = session;
    }

    /// <summary>Time that ONNX Runtime took for all windows so far, in ticks of <see cref="System.Diagnostics.Stopwatch"/>.</summary>
    internal long RunTicks { get; private set; }

    /// <summary>Runs one window; see <see cref="ModelSession.RunWindow"/>.</summary>
    /// <param name="ids">[tokens], at least one, at most the model's context.</param>
    /// <param name="thresholdScale">Multiplies the thresholds of a rewritten model (0 is dense); null leaves them.</param>
    /// <param name="cancellationToken">Ends the run within one operator.</param>
    /// <returns>Logits [tokens, vocabulary] and the extra outputs; they hold until the next run.</returns>
    /// <exception cref="ArgumentException">There are no tokens, too many, or one that is not in the vocabulary.</exception>
    /// <exception cref="InvalidOperationException">A scale was given to a model that has none.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public WindowOutput Run(ReadOnlySpan<int> ids, float? thresholdScale = null, CancellationToken cancellationToken = default)
    {
        ModelSignature signature = _session.Signature;
        Check(ids, signature, _session.Config.ContextLength);
        if (thresholdScale is not null && signature.ThresholdScale is null)
        {
            throw new InvalidOperationException($"'{_session.Folder.ModelPath}' has no {ModelSignature.ThresholdScaleName}: it is no rewritten model.");
        }

        lock (_running)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            using ModelSession.Usage use = _session.Use();
            Release(_results);
            _results = null;
            if (_length != ids.Length)
            {
                Prepare(ids.Length, signature);
            }

            // Bound anew each time: for a device of its own ONNX Runtime copies an input when it is bound.
            TokenTensors.Fill(_ids!, ids);
            _binding!.BindInput(signature.InputIds.Name, _ids!);
            SetScale(thresholdScale ?? 1, signature);
            using RunOptions run = Runs.Plain(_session);
            RunTicks += Runs.Run(_session, run, _binding, cancellationToken);
            _results = _binding.GetOutputValues();
            return Collect(ids.Length, signature);
        }
    }

    /// <summary>Frees the runner's tensors; results of earlier runs hold no longer.</summary>
    public void Dispose()
    {
        lock (_running)
        {
            if (!_disposed)
            {
                _disposed = true;
                Release(_results);
                Forget();
            }
        }
    }

    private static void Check(ReadOnlySpan<int> ids, ModelSignature signature, int? contextLength)
    {
        int most = contextLength ?? int.MaxValue;
        if (ids.Length == 0 || ids.Length > most)
        {
            throw new ArgumentOutOfRangeException(nameof(ids), ids.Length, $"A window has 1 to {most} tokens, not {ids.Length}.");
        }

        if (signature.FixedSequence is int sequence && sequence != ids.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(ids), ids.Length, $"The graph takes {sequence} tokens at a time, not {ids.Length}.");
        }

        if (signature.LogitsOfLastTokenOnly)
        {
            throw new InvalidOperationException($"Output '{signature.Logits}' has logits of the last token alone; a window needs those of every token.");
        }

        TokenTensors.CheckIds(ids, signature.VocabSize);
    }

    private static void Release(IDisposableReadOnlyCollection<OrtValue>? values) => values?.Dispose();

    private void Prepare(int length, ModelSignature signature)
    {
        Forget();
        OrtIoBinding binding = _session.Inference.CreateIoBinding();
        _binding = binding;
        _ids = Own(TokenTensors.Make(signature.InputIds.Type, length));
        if (signature.AttentionMask is RoleInput mask)
        {
            OrtValue ones = Own(TokenTensors.Make(mask.Type, length));
            TokenTensors.FillWithOnes(ones);
            binding.BindInput(mask.Name, ones);
        }

        if (signature.PositionIds is RoleInput positions)
        {
            OrtValue range = Own(TokenTensors.Make(positions.Type, length));
            TokenTensors.FillWithRange(range, 0);
            binding.BindInput(positions.Name, range);
        }

        if (signature.UseCacheBranch is RoleInput branch)
        {
            binding.BindInput(branch.Name, Own(TokenTensors.MakeFlag(false)));
        }

        if (signature.ThresholdScale is RoleInput scale)
        {
            _scale = Own(TokenTensors.MakeScalar(scale));
        }

        foreach (LayerCache layer in signature.Layers)
        {
            OrtValue nothing = Own(OrtValue.CreateAllocatedTensorValue(
                OrtAllocator.DefaultInstance, signature.CacheType, [1, layer.KeyValueHeads, 0, layer.HeadDim]));
            binding.BindInput(layer.PastKey, nothing);
            binding.BindInput(layer.PastValue, nothing);
        }

        _logits = Own(OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, signature.LogitsType, [1, length, signature.VocabSize]));
        binding.BindOutput(signature.Logits, _logits);
        foreach (string name in signature.ExtraOutputs)
        {
            binding.BindOutputToDevice(name, OrtMemoryInfo.DefaultInstance);
        }

        _length = length;
    }

    private WindowOutput Collect(int length, ModelSignature signature)
    {
        int count = checked(length * signature.VocabSize);
        if (_floats.Length < count)
        {
            _floats = new float[count];
        }

        FloatBits.ToSingle(signature.LogitsType, _logits!.GetTensorMutableRawData(), _floats.AsSpan(0, count));
        _extra.Clear();
        for (int i = 0; i < signature.ExtraOutputs.Count; i++)
        {
            _extra[signature.ExtraOutputs[i]] = _results![i + 1]; // in the order in which they were bound, logits first
        }

        return new WindowOutput(_floats, length, signature.VocabSize, _extra);
    }

    private void SetScale(float scale, ModelSignature signature)
    {
        if (signature.ThresholdScale is RoleInput input)
        {
            _scale!.GetTensorMutableDataAsSpan<float>().Fill(scale);
            _binding!.BindInput(input.Name, _scale);
        }
    }

    private OrtValue Own(OrtValue value)
    {
        _owned.Add(value);
        return value;
    }

    private void Forget()
    {
        _length = -1;
        _extra.Clear();
        _binding?.Dispose();
        _binding = null;
        foreach (OrtValue value in _owned)
        {
            value.Dispose();
        }

        _owned.Clear();
    }
}
