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
    public static void Scatter(ReadOnlySpan<byte> band, int bandStride, int step, Span<byte> window, long start, long rowStride, long columnStride, int rows, int columns, int size)
    {
        switch (size)
        {
            case 1:
                Scatter<byte>(band, bandStride, step, window, start, rowStride, columnStride, rows, columns);
                break;
            case 2:
                Scatter<ushort>(band, bandStride, step, window, start, rowStride, columnStride, rows, columns);
                break;
            case 4:
                Scatter<uint>(band, bandStride, step, window, start, rowStride, columnStride, rows, columns);
                break;
            default:
                Scatter<ulong>(band, bandStride, step, window, start, rowStride, columnStride, rows, columns);
                break;
        }
    }

    private static void Scatter<T>(ReadOnlySpan<byte> bandBytes, int bandStride, int step, Span<byte> windowBytes, long start, long rowStride, long columnStride, int rows, int columns)
        where T : unmanaged
    {
        ReadOnlySpan<T> band = MemoryMarshal.Cast<byte, T>(bandBytes);
        Span<T> window = MemoryMarshal.Cast<byte, T>(windowBytes);
        for (int r0 = 0; r0 < rows; r0 += Tile)
        {
            int r1 = Math.Min(rows, r0 + Tile);
            for (int c0 = 0; c0 < columns; c0 += Tile)
            {
                int c1 = Math.Min(columns, c0 + Tile);
                for (int c = c0; c < c1; c++)
                {
                    long to = start + (r0 * rowStride) + (c * columnStride);
                    int from = (r0 * bandStride) + (c * step);
                    for (int r = r0; r < r1; r++)
                    {
                        window[(int)to] = band[from];
                        to += rowStride;
                        from += bandStride;
                    }
                }
            }
        }
    }
}
