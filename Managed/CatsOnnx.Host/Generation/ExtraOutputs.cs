// SPDX-License-Identifier: MIT
// The outputs of a decoding session that are neither logits nor keys nor values: counts of active neurons, and whatever
// else a graph gives. For CUDA graphs the counts lie at fixed addresses on the GPU.
using System.Runtime.InteropServices;
using CatsOnnx.Memory;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Generation;

/// <summary>Binds the extra outputs and adds up those that count active neurons.</summary>
/// <param name="names">All of them.</param>
/// <param name="counted">Those with active neurons: int32, one element for each token.</param>
/// <param name="place">The session's memory.</param>
/// <param name="batch">Sequences of a run.</param>
/// <param name="still">Whether decoding steps have the same tensors all the time.</param>
internal sealed class ExtraOutputs(IReadOnlyList<string> names, HashSet<string> counted, TensorPlace place, int batch, bool still) : IDisposable
{
    private readonly int _slot = (int)TensorMemory.Aligned((long)batch * sizeof(int));
    private readonly OrtValue?[] _views = new OrtValue?[names.Count]; // [batch, 1, ...], one slot of the memory each
    private TensorMemory? _memory;
    private CudaMemory? _copies; // [2] of _memory: of the last two steps
    private readonly bool[] _kept = new bool[2];
    private int[]? _ranks; // of each output, as the first run gave them
    private bool _inSlots;

    /// <summary>Whether all of them can lie at fixed addresses.</summary>
    public bool AllStay => names.All(counted.Contains);

    /// <summary>Binds them for runs of another number of tokens, in whose shapes they come.</summary>
    public void Bind(OrtIoBinding binding, bool decoding)
    {
        _inSlots = still && decoding && AllStay && _ranks is not null && names.Count > 0;
        for (int i = 0; i < names.Count; i++)
        {
            if (_inSlots)
            {
                _memory ??= place.Allocate((long)names.Count * _slot);
                _views[i] ??= place.View(TensorElementType.Int32, [batch, .. Enumerable.Repeat(1L, _ranks![i] - 1)], _memory.Start + (i * _slot));
                binding.BindOutput(names[i], _views[i]!);
            }
            else
            {
                binding.BindOutputToDevice(names[i], OrtMemoryInfo.DefaultInstance);
            }
        }
    }

    /// <summary>Looks at what the first run of a sequence gave.</summary>
    public void Learn(OrtIoBinding binding)
    {
        if (!still || _ranks is not null || names.Count == 0)
        {
            return;
        }

        int[] ranks = new int[names.Count];
        Each(binding, (i, value) => ranks[i] = value.GetTensorTypeAndShape().Shape.Length);
        _ranks = ranks;
    }

    /// <summary>Puts into the stream a copy of a step's counts, so that the step after may be begun before they are read.</summary>
    /// <param name="step">0 or 1: which of two places the copy goes to.</param>
    public void Keep(int step)
    {
        _kept[step] = _inSlots;
        if (_inSlots && place is CudaPlace cuda)
        {
            _copies ??= new CudaMemory(cuda.Device, 2 * _memory!.Bytes, pinned: true);
            cuda.Copy(_memory!, 0, _copies, step * _memory!.Bytes, checked((int)_memory.Bytes));
        }
    }

    /// <summary>Adds the active neurons of a run.</summary>
    /// <param name="binding">The binding with the last run's outputs.</param>
    /// <param name="counter">Takes them.</param>
    /// <param name="step">What was given to <see cref="Keep"/> after the run, which has been waited for; null: it was not called.
    /// Of a prompt nothing is kept, and nothing is counted once the step after has been begun.</param>
    public unsafe void Count(OrtIoBinding binding, ActiveCounter counter, int? step)
    {
        if (step is int index && !_kept[index] && _inSlots)
        {
            return;
        }

        if (_inSlots)
        {
            TensorMemory? buffer = null;
            ReadOnlySpan<byte> bytes = step is int kept
                ? new ReadOnlySpan<byte>((byte*)_copies!.Start + (kept * _memory!.Bytes), checked((int)_memory.Bytes))
                : place.Read(_memory!, 0, names.Count * _slot, ref buffer);
            using TensorMemory? read = buffer;
            for (int i = 0; i < names.Count; i++)
            {
                counter.Add(names[i], MemoryMarshal.Cast<byte, int>(bytes.Slice(i * _slot, batch * sizeof(int))));
            }
        }
        else if (counted.Count > 0)
        {
            Each(binding, (i, value) =>
            {
                if (counted.Contains(names[i]))
                {
                    counter.Add(names[i], value.GetTensorDataAsSpan<int>());
                }
            });
        }
    }

    public void Dispose()
    {
        foreach (OrtValue? view in _views)
        {
            view?.Dispose();
        }

        _memory?.Dispose();
        _copies?.Dispose();
    }

    private void Each(OrtIoBinding binding, Action<int, OrtValue> action)
    {
        string[] bound = binding.GetOutputNames();
        using IDisposableReadOnlyCollection<OrtValue> values = binding.GetOutputValues();
        for (int i = 0; i < names.Count; i++)
        {
            int at = Array.IndexOf(bound, names[i]);
            if (at >= 0)
            {
                action(i, values[at]);
            }
        }
    }
}
