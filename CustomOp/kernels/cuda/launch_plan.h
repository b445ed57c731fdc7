// SPDX-License-Identifier: MIT
// Which CUDA kernels compute SparseGatedMlp, on how many blocks and with how much memory: plain C++, so that
// it is compiled and tested where there is no nvcc.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "formats/dtype.h"
#include "formats/portable.h"
#include "kernels/cuda/device_limits.h"
#include "kernels/cuda/size_list.h"
#include "kernels/cuda/sparse_rows.h"

namespace cats::cuda {

// ---- The fused kernel (sparse_row.cuh) --------------------------------------------------------------------

// The columns of down are cut into slabs: block b adds up columns of slab b % kSlabs only.
constexpr int kSlabs = 4;
constexpr int kMinBlocks = 32;
constexpr int kMaxBlocks = 192;
// A block's kept neurons as bits, 31 in a word: a word of ones stands for "nothing here yet".
constexpr int kMaskBits = 31;
constexpr int kMaskWords = 4;
constexpr int kMaxNeuronsPerBlock = kMaskBits * kMaskWords;
// The rows of down that a block adds up: its share of all, and what makes up for its fewer gate and up rows.
// The first is at most kSlabs * kMaxNeuronsPerBlock and a little, the second the same (launch_plan_test.cc).
constexpr int kMaxDownRows = 3 * kSlabs * kMaxNeuronsPerBlock;
constexpr int kStages = 2;  // rows in shared memory for each warp: one arrives while one is worked on
// Rows of X that it takes at once, each with its own mask; the weights that any of them asks for are read
// once.
constexpr int kMaxFusedRows = 2;

// How many warps work on rows of this size, so that two rows for each fit into 227 KB; 0: too large.
CATS_HD constexpr int FusedWarps(int64_t row_bytes) {
  return row_bytes <= 10240   ? 8
         : row_bytes <= 12288 ? 7
         : row_bytes <= 16384 ? 6
         : row_bytes <= 20480 ? 4
                              : 0;
}

// With two rows of X, rows of weights of this size still fit.
constexpr int64_t kMaxTwoRowBytes = 12288;
CATS_HD constexpr bool FusedRowsFit(int64_t row_bytes, int64_t rows) {
  return FusedWarps(row_bytes) > 0 && (rows == 1 || (rows == kMaxFusedRows && row_bytes <= kMaxTwoRowBytes));
}

// The hidden sizes that the fused kernel is compiled for, each with every dtype whose rows fit.
using FusedHidden = SizeList<2048, 3072, 4096, 5120, 6144, 8192>;

// While its gate rows arrive, a block asks for this much of the up rows and of the down rows that it finds
// needed, so that they wait in L2. H200, Llama-2-7B fp16, 0 / 50 / 70 / 90%: none 65.7 / 46.2 / 38.8 / 32.8
// us; 32 KB of each, from half of the gate rows on, 64.2 / 45.4 / 38.0 / 32.1; 48 KB of each 64.8 / 46.0
// / 38.5 / 32.2.
constexpr int kPrefetchBytes = 32 * 1024;

// Where things lie in the exchange area, in 4-byte words. Every word is all ones before the first launch, and
// each launch leaves it so.
struct SparseRowExchange {
  int64_t masks;          // [to block, from block, kMaskWords]
  int64_t h;              // [intermediate, kSlabs, rows]: each slab's reader has its own copy
  int64_t parts;          // [rows, kSlabs, max_positions, hidden / kSlabs]
  int64_t counts;         // [blocks, 4], with several rows: of each block's kept neurons, by row
  int64_t max_positions;  // blocks of a slab
  int64_t words;

  CATS_HD constexpr SparseRowExchange(int64_t blocks, int64_t intermediate, int64_t hidden, int64_t rows)
      : masks(0),
        h(blocks * blocks * kMaskWords),
        parts(h + intermediate * kSlabs * rows),
        counts(parts + (blocks + kSlabs - 1) / kSlabs * hidden * rows),
        max_positions((blocks + kSlabs - 1) / kSlabs),
        words(counts + (rows == 1 ? 0 : blocks * 4)) {}
};

// ---- Many rows (dense_rows.h) ----------------------------------------------------------------------------

// From how many rows on three products of whole matrices are faster than the kernels for several rows. How
// many neurons are kept is not known on the host, so the rule is by shape.
CATS_HD constexpr int64_t DenseRowsFrom(DType, int64_t /*hidden*/, int64_t /*intermediate*/) { return 9; }

// The products' results, x . gate and x . up of a chunk of rows, take at most this much.
constexpr int64_t kDenseScratchBytes = int64_t{256} << 20;

// Rows of a chunk: all of them, or a multiple of 256 where that is enough. Llama-2-7B float16: 6,096 rows
// fit.
inline int64_t DenseRowsChunk(DType dtype, int64_t rows, int64_t intermediate) {
  const int64_t row_bytes = 2 * std::max<int64_t>(intermediate, 1) * static_cast<int64_t>(SizeOf(dtype));
  int64_t most = std::max<int64_t>(kDenseScratchBytes / row_bytes, 1);
  if (most > 256) most -= most % 256;
  return std::min(rows, most);
}

// ---- The choice -------------------------------------------------------------------------------------------

struct SparseRowPlan {
  bool fused;     // else those for several rows (sparse_rows.h)
  int rows;       // of X
  int blocks;     // of the fused kernel
  bool exchange;  // scratch must be all ones before the first launch; else its contents are free
  size_t scratch_bytes;
  int prefetch_rows;   // at most so many down rows of a block are asked for early,
  int prefetch_first;  // from this one of its gate rows on,
  int prefetch_up;     // and if 1 the up rows of the same neurons
};

// aligned: x, gate, up and down all lie at multiples of 16 bytes. rows: 1 to kMaxFusedRows.
inline SparseRowPlan PlanSparseRow(const DeviceLimits& device, DType dtype, int64_t hidden,
                                   int64_t intermediate, bool aligned, int64_t rows = 1) {
  const int64_t row_bytes = hidden * static_cast<int64_t>(SizeOf(dtype));
  const int64_t blocks = device.multiprocessors;
  const bool fused = aligned && FusedHidden::Has(hidden) && FusedRowsFit(row_bytes, rows) &&
                     device.compute_capability == 90 && device.shared_bytes >= 227 * 1024 &&
                     device.cooperative_launch && blocks >= kMinBlocks && blocks <= kMaxBlocks &&
                     intermediate >= blocks && (intermediate + blocks - 1) / blocks <= kMaxNeuronsPerBlock;
  if (!fused) {
    return {false,
            static_cast<int>(rows),
            0,
            false,
            SparseRowsScratchBytes(dtype, rows, intermediate, hidden),
            0,
            0,
            0};
  }
  return {true,
          static_cast<int>(rows),
          static_cast<int>(blocks),
          true,
          static_cast<size_t>(SparseRowExchange(blocks, intermediate, hidden, rows).words) * 4,
          static_cast<int>(kPrefetchBytes / row_bytes),
          static_cast<int>(intermediate / blocks / 2),
          1};
}

}  // namespace cats::cuda
