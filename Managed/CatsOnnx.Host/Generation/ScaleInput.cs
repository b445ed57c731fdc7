// SPDX-License-Identifier: MIT
// The threshold scale of a rewritten model in its session's memory.
using System.Runtime.InteropServices;
using CatsOnnx.Memory;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Generation;

/// <summary>One float, written from here and bound to runs. Its address stays, so that a captured CUDA graph reads what is written.</summary>
internal sealed class ScaleInput : IDisposable
{
    private readonly TensorPlace _place;
    private readonly string _name;
    private readonly TensorMemory _memory;
    private readonly OrtValue _view; // float, [] or [1]

    /// <param name="place">The session's memory.</param>
    /// <param name="role">The model's input.</param>
    public ScaleInput(TensorPlace place, RoleInput role)
    {
        _place = place;
        _name = role.Name;
        _memory = place.Allocate(sizeof(float));
        _view = place.View(TensorElementType.Float, [.. role.Dimensions.Select(size => (long)Math.Max(size, 1))], _memory.Start);
    }

    /// <summary>The input of a model, or null where it has none.</summary>
    public static ScaleInput? Of(ModelSession session) =>
        session.Signature.ThresholdScale is RoleInput role ? new ScaleInput(session.Place, role) : null;

    /// <summary>Writes the scale and binds it. The write takes its turn in the stream, after the runs that were begun; bound again for
    /// nodes on the CPU, for which ONNX Runtime copies a GPU's tensor when it is bound.</summary>
    /// <param name="binding">Of the session.</param>
    /// <param name="scale">0 or more; null: the model's own, 1.</param>
    public void Set(OrtIoBinding binding, float? scale)
    {
        _place.Write(_memory, 0, MemoryMarshal.AsBytes([scale ?? 1]));
        binding.BindInput(_name, _view);
    }

    public void Dispose()
    {
        _view.Dispose();
        _memory.Dispose();
    }
}
