// SPDX-License-Identifier: MIT
// Greedy choice on the GPU: a kernel of the native library finds the token and makes the next step's inputs, so that the
// host copies nothing and learns one number.
using System.Runtime.InteropServices;
using CatsOnnx.Memory;
using CatsOnnx.Native;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Generation;

/// <summary>Chooses tokens where the logits are.</summary>
internal sealed unsafe class GreedyOnDevice : IDisposable
{
    private const int ErrorSize = 512;

    private readonly CudaPlace _place;
    private readonly int _dtype;
    private readonly CudaMemory _tokens; // [2, batch] int32, written by the GPU
    private readonly nint[] _done = new nint[2]; // events: the slot's tokens are there
    private readonly int _batch;
    private readonly delegate* unmanaged[Cdecl]<int, int, long, nint, long, long, nint, nint, int, nint, int, nint, int, long, long, nint, byte*, long, int> _choose;

    private GreedyOnDevice(CudaPlace place, int dtype, int batch, nint choose)
    {
        _place = place;
        _dtype = dtype;
        _choose = (delegate* unmanaged[Cdecl]<int, int, long, nint, long, long, nint, nint, int, nint, int, nint, int, long, long, nint, byte*, long, int>)choose;
        _tokens = new CudaMemory(place.Device, 2L * batch * sizeof(int), pinned: true);
        _batch = batch;
        _done[0] = CudaDriver.Instance.CreateEvent();
        _done[1] = CudaDriver.Instance.CreateEvent();
    }

    /// <summary>The chooser for logits of a type; null where the place is no GPU, or the library has no CUDA.</summary>
    public static GreedyOnDevice? Find(TensorPlace place, TensorElementType logits, int batch)
    {
        int dtype = logits switch { TensorElementType.Float => 0, TensorElementType.Float16 => 1, _ => 2 };
        if (place is not CudaPlace cuda
            || !CustomOpLibrary.TryExport("CatsCudaLoadGreedyToken", out nint load)
            || !CustomOpLibrary.TryExport("CatsCudaChooseGreedyToken", out nint choose))
        {
            return null;
        }

        byte* error = stackalloc byte[ErrorSize];
        return ((delegate* unmanaged[Cdecl]<int, int, byte*, long, int>)load)(dtype, cuda.Device, error, ErrorSize) == 0
            ? new GreedyOnDevice(cuda, dtype, batch, choose)
            : null;
    }

    /// <summary>Puts into the stream: the choice of the most likely token of each sequence after the run before, and the inputs
    /// of the step after.</summary>
    /// <param name="slot">0 or 1: where the tokens go.</param>
    /// <param name="logits">Address of the first sequence's [vocabulary] logits.</param>
    /// <param name="vocabSize">Their number.</param>
    /// <param name="stride">Elements from one sequence's logits to the next one's.</param>
    /// <param name="ids">Its first [batch] elements become the tokens.</param>
    /// <param name="positions">Its first [batch] elements become the position, where the model has this input.</param>
    /// <param name="mask">[batch, maskStride]: element <paramref name="position"/> of each row becomes 1; or null.</param>
    /// <param name="maskStride">Elements of a row of the mask.</param>
    /// <param name="position">The position of the chosen tokens.</param>
    public void Launch(
        int slot, nint logits, int vocabSize, long stride, IntegerInput ids, IntegerInput? positions, IntegerInput? mask, int maskStride, int position)
    {
        byte* error = stackalloc byte[ErrorSize];
        int status = _choose(
            _dtype, _place.Device, _batch, logits, vocabSize, stride, _tokens.Start + (slot * _batch * sizeof(int)),
            ids.Start, ids.ElementBytes, positions?.Start ?? 0, positions?.ElementBytes ?? 0, mask?.Start ?? 0, mask?.ElementBytes ?? 0, maskStride,
            position, _place.Stream, error, ErrorSize);
        if (status != 0)
        {
            throw new InvalidOperationException(Marshal.PtrToStringUTF8((nint)error));
        }

        _place.Record(_done[slot]);
    }

    /// <summary>Waits for the tokens of a slot.</summary>
    /// <param name="slot">0 or 1.</param>
    /// <param name="chosen">[batch]: the tokens.</param>
    /// <exception cref="InvalidDataException">A logit is NaN: the model's numbers have broken down.</exception>
    public void Wait(int slot, Span<int> chosen)
    {
        CudaDriver.Instance.Wait(_done[slot]);
        new ReadOnlySpan<int>((int*)_tokens.Start + (slot * _batch), _batch).CopyTo(chosen);
        foreach (int token in chosen)
        {
            if (token < 0)
            {
                throw Sampling.Greedy.NotANumber(-1 - token);
            }
        }
    }

    public void Dispose()
    {
        foreach (nint done in _done)
        {
            CudaDriver.Instance.DestroyEvent(done);
        }

        _tokens.Dispose();
    }
}
