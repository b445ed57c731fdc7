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
    private readonly PinnedMemory _token; // [1] int32, written by the GPU
    private readonly delegate* unmanaged[Cdecl]<int, int, nint, long, nint, nint, int, nint, int, nint, int, long, nint, byte*, long, int> _choose;

    private GreedyOnDevice(CudaPlace place, int dtype, nint choose)
    {
        _place = place;
        _dtype = dtype;
        _choose = (delegate* unmanaged[Cdecl]<int, int, nint, long, nint, nint, int, nint, int, nint, int, long, nint, byte*, long, int>)choose;
        _token = new PinnedMemory(place.Device, sizeof(int));
    }

    /// <summary>The chooser for logits of a type; null where the place is no GPU, or the library has no CUDA.</summary>
    public static GreedyOnDevice? Find(TensorPlace place, TensorElementType logits)
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
            ? new GreedyOnDevice(cuda, dtype, choose)
            : null;
    }

    /// <summary>Chooses the most likely token after the run before, and waits for it. The inputs become those of the step after.</summary>
    /// <param name="logits">Address of [vocabulary] logits.</param>
    /// <param name="vocabSize">Their number.</param>
    /// <param name="ids">Its first element becomes the token.</param>
    /// <param name="positions">Its first element becomes the position, where the model has this input.</param>
    /// <param name="mask">Element <paramref name="position"/> becomes 1, where the model has this input.</param>
    /// <param name="position">The position of the chosen token.</param>
    /// <exception cref="InvalidDataException">A logit is NaN: the model's numbers have broken down.</exception>
    public int Choose(nint logits, int vocabSize, IntegerInput ids, IntegerInput? positions, IntegerInput? mask, int position)
    {
        byte* error = stackalloc byte[ErrorSize];
        int status = _choose(
            _dtype, _place.Device, logits, vocabSize, _token.Start,
            ids.Start, ids.ElementBytes, positions?.Start ?? 0, positions?.ElementBytes ?? 0, mask?.Start ?? 0, mask?.ElementBytes ?? 0,
            position, _place.Stream, error, ErrorSize);
        if (status != 0)
        {
            throw new InvalidOperationException(Marshal.PtrToStringUTF8((nint)error));
        }

        _place.Synchronize();
        int token = Volatile.Read(ref *(int*)_token.Start);
        return token >= 0 ? token : throw Sampling.Greedy.NotANumber(-1 - token);
    }

    public void Dispose() => _token.Dispose();
}
