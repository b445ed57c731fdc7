// SPDX-License-Identifier: MIT
// Where a tensor's bytes lie. Reads nothing.
namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>A range of bytes in a file: the raw little-endian elements of one tensor, row-major.</summary>
/// <param name="FilePath">The file; checked to lie where the model may read.</param>
/// <param name="Offset">First byte, from the start of the file.</param>
/// <param name="Length">Number of bytes.</param>
public sealed record TensorLocation(string FilePath, long Offset, long Length);
