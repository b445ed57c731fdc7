// SPDX-License-Identifier: MIT
// Runs batches of sequences of equal length, with or without a past, and gives the outputs that are asked for.
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Text;

/// <summary>Outputs of one run, in CPU memory; disposing frees them.</summary>
public sealed class SequenceOutput : IDisposable
{
    private readonly IDisposableReadOnlyCollection<OrtValue> _values;
    private readonly IReadOnlyList<string> _names;

    internal SequenceOutput(IReadOnlyList<string> names, IDisposableReadOnlyCollection<OrtValue> values)
    {
        _names = names;
        _values = values;
    }

    /// <summary>An output that was asked for.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="KeyNotFoundException">It was not asked for.</exception>
    public OrtValue this[string name]
    {
        get
        {
            for (int index = 0; index < _names.Count; index++)
            {
                if (_names[index] == name)
                {
                    return _values[index];
                }
            }

            throw new KeyNotFoundException($"The run was not asked for the output '{name}'.");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _values.Dispose();
}

/// <summary>Runs sequences on a session.</summary>
/// <param name="session">The session; it must outlive this object.</param>
public sealed class SequenceRunner(ModelSession session)
{
    /// <summary>Reads tokens of several sequences at once.</summary>
    /// <param name="ids">[batch, length]: the ids, sequence after sequence.</param>
    /// <param name="batch">Sequences, at least 1.</param>
    /// <param name="outputs">Names of the outputs wanted.</param>
    /// <param name="thresholdScale">Multiplies every threshold of a rewritten model; null leaves the model's own value (1).</param>
    /// <param name="past">What the one sequence of the batch read before, or null.</param>
    /// <param name="cancellationToken">Ends the run early.</param>
    /// <exception cref="ArgumentException">The ids are no whole sequences, or an id is not in the vocabulary.</exception>
    /// <exception cref="InvalidOperationException">A scale was given and the model has no cats.threshold_scale.</exception>
    /// <exception cref="OperationCanceledException">The run was ended.</exception>
    public SequenceOutput Run(
        ReadOnlySpan<int> ids,
        int batch,
        IReadOnlyList<string> outputs,
        float? thresholdScale = null,
        SequencePast? past = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        ModelSignature signature = session.Signature;
        int length = ids.Length / batch;
        if (length == 0 || length * batch != ids.Length)
        {
            throw new ArgumentException($"{ids.Length} ids are no {batch} sequences of equal length.", nameof(ids));
        }

        if (signature.FixedSequence is int sequence && sequence != length)
        {
            throw new InvalidDataException($"'{session.Folder.ModelPath}' takes {sequence} tokens at a time, not {length}.");
        }

        TokenTensors.CheckIds(ids, signature.VocabSize);
        using ModelSession.Usage use = session.Use();
        using OrtIoBinding binding = session.Inference.CreateIoBinding();
        List<OrtValue> inputs = [];
        try
        {
            BindTokens(ids, batch, length, past?.Length ?? 0, signature, binding, inputs);
            BindScale(thresholdScale, signature, binding, inputs);
            BindPast(batch, past, signature, binding, inputs);
            foreach (string output in outputs)
            {
                binding.BindOutputToDevice(output, OrtMemoryInfo.DefaultInstance);
            }

            using RunOptions options = Runs.Plain(session);
            Runs.Run(session, options, binding, cancellationToken);
            return new SequenceOutput(outputs, binding.GetOutputValues());
        }
        finally
        {
            inputs.ForEach(input => input.Dispose());
        }
    }

    private static void BindTokens(
        ReadOnlySpan<int> ids, int batch, int length, int pastLength, ModelSignature signature, OrtIoBinding binding, List<OrtValue> inputs)
    {
        // Filled before they are bound: for a device of its own ONNX Runtime copies an input when it is bound.
        TokenTensors.Fill(Make(signature.InputIds, [batch, length], inputs), ids);
        binding.BindInput(signature.InputIds.Name, inputs[^1]);
        if (signature.AttentionMask is RoleInput mask)
        {
            TokenTensors.FillWithOnes(Make(mask, [batch, pastLength + length], inputs));
            binding.BindInput(mask.Name, inputs[^1]);
        }

        if (signature.PositionIds is RoleInput positions)
        {
            int[] numbers = [.. Enumerable.Range(0, batch * length).Select(index => pastLength + index % length)];
            TokenTensors.Fill(Make(positions, [batch, length], inputs), numbers);
            binding.BindInput(positions.Name, inputs[^1]);
        }

        if (signature.UseCacheBranch is RoleInput branch)
        {
            inputs.Add(TokenTensors.MakeFlag(pastLength > 0));
            binding.BindInput(branch.Name, inputs[^1]);
        }
    }

    private static void BindPast(int batch, SequencePast? past, ModelSignature signature, OrtIoBinding binding, List<OrtValue> inputs)
    {
        if (past is not null && batch != 1)
        {
            throw new ArgumentException($"A past is of one sequence; {batch} are read.", nameof(past));
        }

        foreach (LayerCache layer in signature.Layers)
        {
            if (past is not null)
            {
                binding.BindInput(layer.PastKey, past[layer.PastKey]);
                binding.BindInput(layer.PastValue, past[layer.PastValue]);
                continue;
            }

            inputs.Add(OrtValue.CreateAllocatedTensorValue(
                OrtAllocator.DefaultInstance, signature.CacheType, [batch, layer.KeyValueHeads, 0, layer.HeadDim]));
            binding.BindInput(layer.PastKey, inputs[^1]);
            binding.BindInput(layer.PastValue, inputs[^1]);
        }
    }

    private void BindScale(float? thresholdScale, ModelSignature signature, OrtIoBinding binding, List<OrtValue> inputs)
    {
        if (thresholdScale is not float scale)
        {
            return;
        }

        RoleInput input = signature.ThresholdScale ?? throw new InvalidOperationException(
            $"'{session.Folder.ModelPath}' has no {ModelSignature.ThresholdScaleName}: it is no rewritten model, so its thresholds cannot be scaled by {scale}. `cats rewrite` makes a sparse model of it.");
        inputs.Add(TokenTensors.MakeScalar(input));
        inputs[^1].GetTensorMutableDataAsSpan<float>().Fill(scale);
        binding.BindInput(input.Name, inputs[^1]);
    }

    private static OrtValue Make(RoleInput input, long[] shape, List<OrtValue> inputs)
    {
        inputs.Add(OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, input.Type, shape));
        return inputs[^1];
    }
}
