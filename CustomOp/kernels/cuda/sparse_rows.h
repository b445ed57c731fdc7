// SPDX-License-Identifier: MIT
// Any number of rows of SparseGatedMlp on a CUDA device, every size, alignment and format: up to 8 rows share
// one reading of the weights. A row's result depends on that row alone: not on how many rows there are, nor
// on the others.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "formats/dtype.h"
#include "formats/portable.h"
#include "kernels/cuda/device_limits.h"
#include "kernels/cuda/size_list.h"
#include "kernels/gated_mlp.h"

struct CUstream_st;  // cudaStream_t points to it

namespace cats::cuda {

constexpr int kRowGroup = 8;      // rows that share one reading
constexpr int kRowsTile = 16;     // neurons of a block of the first kernel, and of a product of the second
constexpr int kRowsWarps = 4;     // warps of a block of the first kernel
constexpr int kDownWarps = 8;     // warps of a block of the second kernel
constexpr int kDownColumns = 64;  // of a warp of the second kernel, 16-bit formats
constexpr int kDownBlocks = 264;  // of the second kernel, about: 2 for each of 132 multiprocessors
constexpr int kMaxDownParts = 66;

// Hidden sizes for which one kernel fetches all its rows by bulk copies, in 16-bit formats.
using BulkHidden = SizeList<2048, 3072, 4096, 5120, 6144>;
// It has a block for each multiprocessor, with at most so many neurons, and each makes a part of y.
constexpr int kMaxBulkNeurons = 256;
constexpr int kMaxBulkBlocks = 160;
constexpr int kMaxParts = kMaxDownParts > kMaxBulkBlocks ? kMaxDownParts : kMaxBulkBlocks;

// aligned: x, gate, up and down lie at multiples of 16 bytes, and so do their rows.
inline bool HasBulkCopies(const DeviceLimits& device, DType dtype, bool aligned) {
  return aligned && dtype != DType::kF32 && device.compute_capability == 90 &&
         device.shared_bytes >= 227 * 1024;
}
inline bool HasBulkRows(const DeviceLimits& device, DType dtype, int64_t hidden, int64_t intermediate,
                        bool aligned) {
  return BulkHidden::Has(hidden) && HasBulkCopies(device, dtype, aligned) &&
         device.multiprocessors <= kMaxBulkBlocks && intermediate >= device.multiprocessors &&
         (intermediate + device.multiprocessors - 1) / device.multiprocessors <= kMaxBulkNeurons;
}

// The rows of a group as the kernels are compiled for them.
CATS_HD constexpr int RowsCompiled(int64_t rows) { return rows <= 1 ? 1 : rows <= 2 ? 2 : rows <= 4 ? 4 : 8; }

// The ranges of neurons that the second kernel adds up apart: what the order of every sum rests on.
CATS_HD constexpr int DownParts(bool is_float32, int64_t hidden) {
  if (is_float32) return 32;
  const int64_t tiles = (hidden + kDownWarps * kDownColumns - 1) / (kDownWarps * kDownColumns);
  const int64_t parts = tiles == 0 ? 1 : kDownBlocks / tiles;
  return static_cast<int>(parts < 1 ? 1 : parts > kMaxDownParts ? kMaxDownParts : parts);
}

// Parts of y that there is room for.
CATS_HD constexpr int PartsRoom(bool is_float32, int64_t hidden) {
  const int parts = DownParts(is_float32, hidden);
  return !is_float32 && BulkHidden::Has(hidden) && parts < kMaxBulkBlocks ? kMaxBulkBlocks : parts;
}

// Where things lie in the scratch of a group, in 4-byte words.
struct SparseRowsScratch {
  int64_t tiles;  // of kRowsTile neurons
  int64_t kept;   // uint8 [tiles, kRowsTile], bit r: row r keeps the neuron; aligned to 16 bytes
  int64_t parts;  // float [PartsRoom, compiled rows, hidden]; aligned to 16 bytes
  int64_t h;  // float32: float [intermediate, compiled rows]; else uint16 [tiles, kRowGroup, 4, 2, 4], HTerms
  int64_t words;

  CATS_HD constexpr SparseRowsScratch(bool is_float32, int64_t rows, int64_t intermediate, int64_t hidden)
      : tiles((intermediate + kRowsTile - 1) / kRowsTile),
        kept(0),
        parts(tiles * kRowsTile / 4),
        h(parts + (PartsRoom(is_float32, hidden) * RowsCompiled(rows) * hidden + 3) / 4 * 4),
        words(h + (is_float32 ? intermediate * RowsCompiled(rows) : tiles * kRowsTile * kRowGroup)) {}
};

// Groups follow each other in one stream and share their scratch. Depends on the sizes alone.
inline size_t SparseRowsScratchBytes(DType dtype, int64_t rows, int64_t intermediate, int64_t hidden) {
  return static_cast<size_t>(SparseRowsScratch(dtype == DType::kF32, rows, intermediate, hidden).words) * 4;
}

// Both return a cudaError_t as int, 0 if all is well. Nothing in them allocates or waits. device: the current
// one.

// Before the first capture or launch: loads the kernels of this format.
int LoadSparseRows(const DeviceLimits& device, DType dtype);

// Device pointers, aligned to sizeof(T); args.scratch: SparseRowsScratchBytes, aligned to 16, any contents.
// after_norm: the kernel before in the stream is LaunchSkipRmsNorm's, which made args.x and nothing else that
// is read here; the weights may be asked for while it runs.
int LaunchSparseRows(const DeviceLimits& device, DType dtype, const GatedMlpArgs& args, bool after_norm,
                     CUstream_st* stream);

}  // namespace cats::cuda
