// SPDX-License-Identifier: MIT
// An integer input [batch, length] of a language model (ids, positions, mask) in its session's memory.
using System.Buffers;
using System.Runtime.InteropServices;
using CatsOnnx.Memory;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Generation;

/// <summary>Elements of int32 or int64, written from here and bound to runs.</summary>
internal sealed class IntegerInput(TensorPlace place, RoleInput role) : IDisposable
{
    private const int ElementsOnStack = 64;

    private readonly bool _wide = role.Type == TensorElementType.Int64;
    private TensorMemory? _memory;
    private OrtValue? _view;
    private (int Batch, int Length)? _shape; // of the view

    /// <summary>Bytes of an element: 4 or 8.</summary>
    public int ElementBytes => _wide ? sizeof(long) : sizeof(int);

    /// <summary>Where the elements lie.</summary>
    public nint Start => _memory!.Start;

    /// <summary>Makes room for elements; zeroes at a new address where there was less.</summary>
    /// <returns>Whether the address is new.</returns>
    public bool Reserve(int elements)
    {
        long bytes = (long)elements * ElementBytes;
        if (_memory is not null && _memory.Bytes >= bytes)
        {
            return false;
        }

        Dispose();
        _memory = place.Allocate(bytes);
        return true;
    }

    /// <summary>Writes values from element <paramref name="at"/> on.</summary>
    public void Write(int at, ReadOnlySpan<int> values)
    {
        if (!_wide)
        {
            place.Write(_memory!, (long)at * sizeof(int), MemoryMarshal.AsBytes(values));
            return;
        }

        long[]? rented = null;
        Span<long> wide = values.Length <= ElementsOnStack
            ? stackalloc long[ElementsOnStack]
            : rented = ArrayPool<long>.Shared.Rent(values.Length);
        for (int i = 0; i < values.Length; i++)
        {
            wide[i] = values[i];
        }

        place.Write(_memory!, (long)at * sizeof(long), MemoryMarshal.AsBytes(wide[..values.Length]));
        if (rented is not null)
        {
            ArrayPool<long>.Shared.Return(rented);
        }
    }

    /// <summary>Writes first, first + step, ... into <paramref name="count"/> elements.</summary>
    public void WriteRange(int at, int count, int first, int step)
    {
        int[]? rented = null;
        Span<int> values = count <= ElementsOnStack ? stackalloc int[ElementsOnStack] : rented = ArrayPool<int>.Shared.Rent(count);
        for (int i = 0; i < count; i++)
        {
            values[i] = first + (i * step);
        }

        Write(at, values[..count]);
        if (rented is not null)
        {
            ArrayPool<int>.Shared.Return(rented);
        }
    }

    /// <summary>Zeroes the first elements.</summary>
    public void Clear(int elements) => place.Clear(_memory!, 0, (long)elements * ElementBytes);

    /// <summary>Binds the first elements as [batch, length], where they are not bound already.</summary>
    /// <param name="binding">The binding.</param>
    /// <param name="batch">Sequences.</param>
    /// <param name="length">Elements of each.</param>
    /// <param name="again">Whether what is bound must be bound once more, because ONNX Runtime copied it.</param>
    public void Bind(OrtIoBinding binding, int batch, int length, bool again)
    {
        if (_shape != (batch, length))
        {
            _view?.Dispose();
            _view = place.View(role.Type, [batch, length], Start);
            _shape = (batch, length);
            again = true;
        }

        if (again)
        {
            binding.BindInput(role.Name, _view!);
        }
    }

    public void Dispose()
    {
        _view?.Dispose();
        _memory?.Dispose();
        _shape = null;
    }
}
