// SPDX-License-Identifier: MIT
// How fast a device reads its memory: the ceiling of decoding, which reads every weight once a token.
using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;
using CatsOnnx.Native;

namespace CatsOnnx.Session;

/// <summary>Measures reading from memory.</summary>
public static class MemoryBandwidth
{
    private const int Repeats = 5;
    private const int ErrorSize = 512;

    /// <summary>The fastest of several passes over fresh memory.</summary>
    /// <param name="device">The CPU, with all its cores; or a GPU.</param>
    /// <param name="bytes">How much is read; several times the caches.</param>
    /// <returns>Bytes a second; null where the native library has no CUDA to measure a GPU with.</returns>
    /// <exception cref="OutOfMemoryException">There is not that much memory.</exception>
    /// <exception cref="InvalidOperationException">The GPU cannot be used.</exception>
    public static unsafe double? MeasureRead(Device device, long bytes = 1L << 30)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1 << 20);
        if (device.IsCpu)
        {
            return MeasureCpu(bytes);
        }

        if (!CustomOpLibrary.HasCuda || !CustomOpLibrary.TryExport("CatsCudaMeasureReadCeiling", out nint measure))
        {
            return null;
        }

        double rate = 0;
        byte* error = stackalloc byte[ErrorSize];
        return ((delegate* unmanaged[Cdecl]<int, long, double*, byte*, long, int>)measure)(device.Index, bytes, &rate, error, ErrorSize) == 0
            ? rate
            : throw new InvalidOperationException(Marshal.PtrToStringUTF8((nint)error));
    }

    private static unsafe double MeasureCpu(long bytes)
    {
        int parts = Environment.ProcessorCount;
        nuint part = (nuint)(bytes / parts) / 64 * 64;
        nint[] memory = new nint[parts];
        try
        {
            // Each thread fills, and so places, what it will read.
            OnAllThreads(index =>
            {
                memory[index] = (nint)NativeMemory.AlignedAlloc(part, 64);
                NativeMemory.Fill((void*)memory[index], part, 1);
            });
            double best = 0;
            for (int repeat = 0; repeat < Repeats; repeat++)
            {
                long start = Stopwatch.GetTimestamp();
                OnAllThreads(index => s_sink = Sum((byte*)memory[index], part));
                best = Math.Max(best, (double)part * (nuint)parts / Stopwatch.GetElapsedTime(start).TotalSeconds);
            }

            return best;
        }
        finally
        {
            foreach (nint block in memory)
            {
                NativeMemory.AlignedFree((void*)block);
            }
        }

        void OnAllThreads(Action<int> action)
        {
            Thread[] threads = [.. Enumerable.Range(0, parts).Select(index => new Thread(() => action(index)))];
            foreach (Thread thread in threads)
            {
                thread.Start();
            }

            foreach (Thread thread in threads)
            {
                thread.Join();
            }
        }
    }

    private static ulong s_sink; // keeps the sums from being left out

    private static unsafe ulong Sum(byte* data, nuint bytes)
    {
        Vector<ulong> a = default, b = default, c = default, d = default;
        nuint step = (nuint)Vector<byte>.Count;
        for (nuint at = 0; at + (4 * step) <= bytes; at += 4 * step)
        {
            a += *(Vector<ulong>*)(data + at);
            b += *(Vector<ulong>*)(data + at + step);
            c += *(Vector<ulong>*)(data + at + (2 * step));
            d += *(Vector<ulong>*)(data + at + (3 * step));
        }

        return Vector.Sum(a + b + c + d);
    }
}
