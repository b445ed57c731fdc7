// SPDX-License-Identifier: MIT
// Sizes of the CUDA kernels' launches: plain C++, so that it is compiled and tested where there is no nvcc.
#pragma once
#include <cstdint>

#include "formats/portable.h"

namespace cats::cuda {

// The one-row kernel cuts the columns of down into slabs: block b adds up columns of slab b % kSlabs only.
constexpr int kSlabs = 4;
constexpr int kMaxBlocks = 192;
// A block's kept neurons as bits, 31 in a word: a word of ones stands for "nothing here yet".
constexpr int kMaskBits = 31;
constexpr int kMaskWords = 4;
constexpr int kMaxNeuronsPerBlock = kMaskBits * kMaskWords;
// The rows of down that a block adds up: its share of all, and what makes up for its fewer gate and up rows.
constexpr int kMaxDownRows = 3 * kSlabs * kMaxNeuronsPerBlock;

// Where things lie in the exchange area, in 4-byte words.
struct SparseRowExchange {
  int64_t masks;      // [to block, from block, kMaskWords]
  int64_t h;          // [intermediate, kSlabs]: each slab's reader has its own copy
  int64_t parts;      // [kSlabs, max_positions, hidden / kSlabs]
  int64_t max_positions;
  int64_t words;

  CATS_HD SparseRowExchange(int64_t blocks, int64_t intermediate, int64_t hidden)
      : masks(0),
        h(blocks * blocks * kMaskWords),
        parts(h + intermediate * kSlabs),
        max_positions((blocks + kSlabs - 1) / kSlabs),
        words(parts + max_positions * hidden) {}
};

}  // namespace cats::cuda
