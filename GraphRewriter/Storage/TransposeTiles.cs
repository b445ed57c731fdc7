// SPDX-License-Identifier: MIT
// Transposes of 2- and 4-byte elements in registers: a tile of 8 columns fills whole cache lines of 8 destination rows.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>Vector transposes with a scalar edge.</summary>
internal static class TransposeTiles
{
    private const int TileColumns = 8;

    /// <summary>to[c * toStride + r] = source[r * fromStride + c] for r below rows, c below columns.</summary>
    /// <param name="source">[rows, columns], fromStride apart.</param>
    /// <param name="fromStride">Elements from row to row.</param>
    /// <param name="to">[columns, rows], toStride apart.</param>
    /// <param name="toStride">Elements from row to row.</param>
    /// <param name="rows">Rows of the source.</param>
    /// <param name="columns">Columns of the source.</param>
    public static void Transpose(ref readonly uint source, int fromStride, ref uint to, int toStride, int rows, int columns)
    {
        ref uint from = ref Unsafe.AsRef(in source);
        const int TileRows = 16;
        int wholeRows = rows / TileRows * TileRows;
        int wholeColumns = columns / TileColumns * TileColumns;
        for (int c = 0; c < wholeColumns; c += TileColumns)
        {
            for (int r = 0; r < wholeRows; r += 4)
            {
                Four(ref Unsafe.Add(ref from, ((nint)r * fromStride) + c), fromStride, ref Unsafe.Add(ref to, ((nint)c * toStride) + r), toStride);
                Four(ref Unsafe.Add(ref from, ((nint)r * fromStride) + c + 4), fromStride, ref Unsafe.Add(ref to, ((nint)(c + 4) * toStride) + r), toStride);
            }
        }

        Edge(ref from, fromStride, ref to, toStride, rows, columns, wholeRows, wholeColumns);
    }

    /// <inheritdoc cref="Transpose(ref readonly uint, int, ref uint, int, int, int)"/>
    public static void Transpose(ref readonly ushort source, int fromStride, ref ushort to, int toStride, int rows, int columns)
    {
        ref ushort from = ref Unsafe.AsRef(in source);
        const int TileRows = 32;
        int wholeRows = rows / TileRows * TileRows;
        int wholeColumns = columns / TileColumns * TileColumns;
        for (int c = 0; c < wholeColumns; c += TileColumns)
        {
            for (int r = 0; r < wholeRows; r += 8)
            {
                Eight(ref Unsafe.Add(ref from, ((nint)r * fromStride) + c), fromStride, ref Unsafe.Add(ref to, ((nint)c * toStride) + r), toStride);
            }
        }

        Edge(ref from, fromStride, ref to, toStride, rows, columns, wholeRows, wholeColumns);
    }

    private static void Edge<T>(ref T from, int fromStride, ref T to, int toStride, int rows, int columns, int doneRows, int doneColumns)
    {
        for (int c = 0; c < columns; c++)
        {
            for (int r = c < doneColumns ? doneRows : 0; r < rows; r++)
            {
                Unsafe.Add(ref to, ((nint)c * toStride) + r) = Unsafe.Add(ref from, ((nint)r * fromStride) + c);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(ref uint from, nint fromStride, ref uint to, nint toStride)
    {
        Vector128<uint> a = Vector128.LoadUnsafe(ref from);
        Vector128<uint> b = Vector128.LoadUnsafe(ref Unsafe.Add(ref from, fromStride));
        Vector128<uint> c = Vector128.LoadUnsafe(ref Unsafe.Add(ref from, 2 * fromStride));
        Vector128<uint> d = Vector128.LoadUnsafe(ref Unsafe.Add(ref from, 3 * fromStride));
        (Vector128<uint> ab0, Vector128<uint> ab1) = (Zip.Low(a, b), Zip.High(a, b));
        (Vector128<uint> cd0, Vector128<uint> cd1) = (Zip.Low(c, d), Zip.High(c, d));
        Zip.Low(ab0.AsUInt64(), cd0.AsUInt64()).AsUInt32().StoreUnsafe(ref to);
        Zip.High(ab0.AsUInt64(), cd0.AsUInt64()).AsUInt32().StoreUnsafe(ref Unsafe.Add(ref to, toStride));
        Zip.Low(ab1.AsUInt64(), cd1.AsUInt64()).AsUInt32().StoreUnsafe(ref Unsafe.Add(ref to, 2 * toStride));
        Zip.High(ab1.AsUInt64(), cd1.AsUInt64()).AsUInt32().StoreUnsafe(ref Unsafe.Add(ref to, 3 * toStride));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Eight(ref ushort from, nint fromStride, ref ushort to, nint toStride)
    {
        Vector128<ushort> r0 = Vector128.LoadUnsafe(ref from);
        Vector128<ushort> r1 = Vector128.LoadUnsafe(ref Unsafe.Add(ref from, fromStride));
        Vector128<ushort> r2 = Vector128.LoadUnsafe(ref Unsafe.Add(ref from, 2 * fromStride));
        Vector128<ushort> r3 = Vector128.LoadUnsafe(ref Unsafe.Add(ref from, 3 * fromStride));
        Vector128<ushort> r4 = Vector128.LoadUnsafe(ref Unsafe.Add(ref from, 4 * fromStride));
        Vector128<ushort> r5 = Vector128.LoadUnsafe(ref Unsafe.Add(ref from, 5 * fromStride));
        Vector128<ushort> r6 = Vector128.LoadUnsafe(ref Unsafe.Add(ref from, 6 * fromStride));
        Vector128<ushort> r7 = Vector128.LoadUnsafe(ref Unsafe.Add(ref from, 7 * fromStride));
        Vector128<uint> a0 = Zip.Low(r0, r1).AsUInt32();
        Vector128<uint> a1 = Zip.High(r0, r1).AsUInt32();
        Vector128<uint> b0 = Zip.Low(r2, r3).AsUInt32();
        Vector128<uint> b1 = Zip.High(r2, r3).AsUInt32();
        Vector128<uint> c0 = Zip.Low(r4, r5).AsUInt32();
        Vector128<uint> c1 = Zip.High(r4, r5).AsUInt32();
        Vector128<uint> d0 = Zip.Low(r6, r7).AsUInt32();
        Vector128<uint> d1 = Zip.High(r6, r7).AsUInt32();
        Pair(Zip.Low(a0, b0), Zip.Low(c0, d0), ref to, toStride);
        Pair(Zip.High(a0, b0), Zip.High(c0, d0), ref Unsafe.Add(ref to, 2 * toStride), toStride);
        Pair(Zip.Low(a1, b1), Zip.Low(c1, d1), ref Unsafe.Add(ref to, 4 * toStride), toStride);
        Pair(Zip.High(a1, b1), Zip.High(c1, d1), ref Unsafe.Add(ref to, 6 * toStride), toStride);

        static void Pair(Vector128<uint> upper, Vector128<uint> lower, ref ushort to, nint toStride)
        {
            Zip.Low(upper.AsUInt64(), lower.AsUInt64()).AsUInt16().StoreUnsafe(ref to);
            Zip.High(upper.AsUInt64(), lower.AsUInt64()).AsUInt16().StoreUnsafe(ref Unsafe.Add(ref to, toStride));
        }
    }

    /// <summary>Takes the low (high) halves of two vectors, element by element in turn.</summary>
    private static class Zip
    {
        public static Vector128<ushort> Low(Vector128<ushort> a, Vector128<ushort> b) =>
            Sse2.IsSupported ? Sse2.UnpackLow(a, b)
            : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
            : Vector128.Create(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3]);

        public static Vector128<ushort> High(Vector128<ushort> a, Vector128<ushort> b) =>
            Sse2.IsSupported ? Sse2.UnpackHigh(a, b)
            : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
            : Vector128.Create(a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7]);

        public static Vector128<uint> Low(Vector128<uint> a, Vector128<uint> b) =>
            Sse2.IsSupported ? Sse2.UnpackLow(a, b)
            : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
            : Vector128.Create(a[0], b[0], a[1], b[1]);

        public static Vector128<uint> High(Vector128<uint> a, Vector128<uint> b) =>
            Sse2.IsSupported ? Sse2.UnpackHigh(a, b)
            : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
            : Vector128.Create(a[2], b[2], a[3], b[3]);

        public static Vector128<ulong> Low(Vector128<ulong> a, Vector128<ulong> b) => Vector128.Create(a.GetLower(), b.GetLower());

        public static Vector128<ulong> High(Vector128<ulong> a, Vector128<ulong> b) => Vector128.Create(a.GetUpper(), b.GetUpper());
    }
}
