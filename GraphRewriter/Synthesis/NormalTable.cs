// SPDX-License-Identifier: MIT
// Random normal numbers at the speed of a disk: a counter-based generator picks from 65,536 quantiles of the normal
// distribution, so that any window of a tensor can be computed by itself, on any thread, always the same.
using System.Runtime.InteropServices;

namespace CatsOnnx.GraphRewriter.Synthesis;

/// <summary>Normal numbers of one scale in one element type.</summary>
internal sealed class NormalTable
{
    private const int Quantiles = 65536;
    private const int NumbersPerDraw = 4;
    private const int ChunkBytes = 1 << 20;
    private static readonly double[] s_quantiles = MakeQuantiles();

    private readonly float[] _singles;
    private readonly ushort[] _halves;
    private readonly DecoderDtype _dtype;

    /// <summary>Makes the table.</summary>
    /// <param name="dtype">Element type.</param>
    /// <param name="deviation">Standard deviation.</param>
    public NormalTable(DecoderDtype dtype, double deviation)
    {
        _dtype = dtype;
        _singles = dtype == DecoderDtype.Fp32 ? [.. s_quantiles.Select(q => (float)(q * deviation))] : [];
        _halves = dtype == DecoderDtype.Fp32 ? [] : [.. s_quantiles.Select(q => Round(dtype, q * deviation))];
    }

    /// <summary>Bytes of one element.</summary>
    public static int SizeOf(DecoderDtype dtype) => dtype == DecoderDtype.Fp32 ? 4 : 2;

    /// <summary>The bits of a number in a 2-byte type, rounded to nearest even.</summary>
    public static ushort Round(DecoderDtype dtype, double value)
    {
        if (dtype == DecoderDtype.Fp16)
        {
            return BitConverter.HalfToUInt16Bits((Half)value);
        }

        uint bits = BitConverter.SingleToUInt32Bits((float)value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>Fills a window of a tensor.</summary>
    /// <param name="stream">Names the tensor; other streams have other numbers.</param>
    /// <param name="offset">First byte of the window.</param>
    /// <param name="destination">Whole elements.</param>
    public unsafe void Fill(ulong stream, long offset, Span<byte> destination)
    {
        int size = SizeOf(_dtype);
        if (offset % (size * NumbersPerDraw) != 0)
        {
            throw new ArgumentException($"A window starts at byte {offset}; it must start at a multiple of {size * NumbersPerDraw}.", nameof(offset));
        }

        fixed (byte* pinned = destination)
        {
            byte* start = pinned;
            int length = destination.Length;
            Parallel.For(0, (length + ChunkBytes - 1) / ChunkBytes, chunk =>
            {
                int from = chunk * ChunkBytes;
                Span<byte> part = new(start + from, Math.Min(ChunkBytes, length - from));
                ulong counter = (ulong)((offset + from) / (size * NumbersPerDraw));
                if (_dtype == DecoderDtype.Fp32)
                {
                    Draw(_singles, stream, counter, MemoryMarshal.Cast<byte, float>(part));
                }
                else
                {
                    Draw(_halves, stream, counter, MemoryMarshal.Cast<byte, ushort>(part));
                }
            });
        }
    }

    private static void Draw<T>(T[] table, ulong stream, ulong counter, Span<T> part)
    {
        int i = 0;
        for (; i + NumbersPerDraw <= part.Length; i += NumbersPerDraw)
        {
            ulong bits = Mix(stream, counter++);
            part[i] = table[(ushort)bits];
            part[i + 1] = table[(ushort)(bits >> 16)];
            part[i + 2] = table[(ushort)(bits >> 32)];
            part[i + 3] = table[(ushort)(bits >> 48)];
        }

        for (ulong bits = Mix(stream, counter); i < part.Length; i++, bits >>= 16)
        {
            part[i] = table[(ushort)bits];
        }
    }

    /// <summary>64 random bits for a counter: two rounds of multiply and shift over the counter and the stream.</summary>
    private static ulong Mix(ulong stream, ulong counter)
    {
        ulong x = stream + (counter * 0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)) * 0xBF58_476D_1CE4_E5B9;
        x = (x ^ (x >> 27)) * 0x94D0_49BB_1331_11EB;
        return x ^ (x >> 31);
    }

    /// <summary>A stream of its own for each tensor of a seed.</summary>
    public static ulong StreamOf(ulong seed, int tensor) => Mix(Mix(seed, 0), (ulong)tensor + 1);

    /// <summary>The quantiles (i + 1/2) / 65536: x(p) follows from dx/dp = 1 / density(x), upwards from the median.</summary>
    private static double[] MakeQuantiles()
    {
        const int StepsPerQuantile = 16;
        double[] quantiles = new double[Quantiles];
        double x = 0;
        double step = 0.5 / Quantiles / StepsPerQuantile;
        for (int i = 0; i < Quantiles / 2; i++)
        {
            for (int s = 0; s < (i == 0 ? StepsPerQuantile : 2 * StepsPerQuantile); s++)
            {
                double middle = x + (step / 2 * InverseDensity(x));
                x += step * InverseDensity(middle);
            }

            quantiles[(Quantiles / 2) + i] = x;
            quantiles[(Quantiles / 2) - 1 - i] = -x;
        }

        return quantiles;
    }

    private static double InverseDensity(double x) => Math.Sqrt(2 * Math.PI) * Math.Exp(x * x / 2);
}
