// SPDX-License-Identifier: MIT
// Moves a band of elements in memory from one pair of strides to another, in tiles that stay in the first-level cache.
using System.Runtime.InteropServices;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>The innermost copy of transposes and slices.</summary>
internal static class TileCopy
{
    private const int Tile = 32;

    /// <summary>Element (r, c) goes from band[r * bandStride + c * step] to window[start + r * rowStride + c * columnStride].</summary>
    /// <param name="band">Source elements.</param>
    /// <param name="bandStride">Elements from one row of the band to the next.</param>
    /// <param name="step">Elements from one column of the band to the next.</param>
    /// <param name="window">Destination elements.</param>
    /// <param name="start">Where (0, 0) goes.</param>
    /// <param name="rowStride">Elements of the destination from one row to the next.</param>
    /// <param name="columnStride">Elements of the destination from one column to the next.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="size">Bytes of one element: 1, 2, 4 or 8.</param>
    public static void Scatter(ReadOnlySpan<byte> band, int bandStride, int step, Span<byte> window, int start, int rowStride, int columnStride, int rows, int columns, int size)
    {
        bool transpose = step == 1 && rowStride == 1;
        switch (size)
        {
            case 1:
                Scatter(band, bandStride, step, window, start, rowStride, columnStride, rows, columns);
                break;
            case 2 when transpose:
                TransposeTiles.Transpose(in From<ushort>(band, bandStride, rows, columns), bandStride, ref To<ushort>(window, start, columnStride, rows, columns), columnStride, rows, columns);
                break;
            case 2:
                Scatter(MemoryMarshal.Cast<byte, ushort>(band), bandStride, step, MemoryMarshal.Cast<byte, ushort>(window), start, rowStride, columnStride, rows, columns);
                break;
            case 4 when transpose:
                TransposeTiles.Transpose(in From<uint>(band, bandStride, rows, columns), bandStride, ref To<uint>(window, start, columnStride, rows, columns), columnStride, rows, columns);
                break;
            case 4:
                Scatter(MemoryMarshal.Cast<byte, uint>(band), bandStride, step, MemoryMarshal.Cast<byte, uint>(window), start, rowStride, columnStride, rows, columns);
                break;
            default:
                Scatter(MemoryMarshal.Cast<byte, ulong>(band), bandStride, step, MemoryMarshal.Cast<byte, ulong>(window), start, rowStride, columnStride, rows, columns);
                break;
        }
    }

    /// <summary>The elements that a transpose reads; slicing checks that they are there.</summary>
    private static ref readonly T From<T>(ReadOnlySpan<byte> band, int bandStride, int rows, int columns)
        where T : unmanaged => ref MemoryMarshal.GetReference(MemoryMarshal.Cast<byte, T>(band)[..checked(((rows - 1) * bandStride) + columns)]);

    /// <summary>The elements that a transpose writes; slicing checks that they are there.</summary>
    private static ref T To<T>(Span<byte> window, int start, int columnStride, int rows, int columns)
        where T : unmanaged => ref MemoryMarshal.GetReference(MemoryMarshal.Cast<byte, T>(window).Slice(start, checked(((columns - 1) * columnStride) + rows)));

    private static void Scatter<T>(ReadOnlySpan<T> band, int bandStride, int step, Span<T> window, int start, int rowStride, int columnStride, int rows, int columns)
    {
        for (int r0 = 0; r0 < rows; r0 += Tile)
        {
            int r1 = Math.Min(rows, r0 + Tile);
            for (int c0 = 0; c0 < columns; c0 += Tile)
            {
                int c1 = Math.Min(columns, c0 + Tile);
                for (int c = c0; c < c1; c++)
                {
                    int to = start + (r0 * rowStride) + (c * columnStride);
                    int from = (r0 * bandStride) + (c * step);
                    for (int r = r0; r < r1; r++)
                    {
                        window[to] = band[from];
                        to += rowStride;
                        from += bandStride;
                    }
                }
            }
        }
    }
}
