// SPDX-License-Identifier: MIT
// What the warps of the fused one-row kernel share: its arguments, the block's place in the work, and the
// block's shared memory.
#pragma once
#include <cstdint>

#include "kernels/cuda/exchange.cuh"
#include "kernels/cuda/launch_plan.h"
#include "kernels/cuda/row_math.cuh"
#include "kernels/cuda/skip_rms_norm.cuh"
#include "kernels/cuda/sparse_row.h"

namespace cats::cuda {

template <class T, int Hidden>
struct RowSize {
  static constexpr int kBytes = Hidden * static_cast<int>(sizeof(T));
  static constexpr int kChunks = kBytes / 512;  // 16 bytes for each lane
  static constexpr int kSlabBytes = kBytes / kSlabs;
  static constexpr int kSlabChunks = kChunks / kSlabs;
  static constexpr int kSlabColumns = Hidden / kSlabs;
  static constexpr int kGroups = kSlabColumns / 4;  // of 4 columns, 16 bytes of sums
  static constexpr int kPerLane = 16 / static_cast<int>(sizeof(T));
  static constexpr int kWarps = FusedWarps(kBytes);
  static_assert(kBytes % (512 * kSlabs) == 0 && (kWarps == 0 || kWarps >= kNormWarps));
};

// The block's part of the neurons, and its place among the blocks that add up the same columns.
struct BlockPlace {
  int blocks, block;
  int share, extra;  // each block has `share` neurons, the first `extra` blocks one more
  int slab, position, positions;

  __device__ BlockPlace(int blocks_, int block_, int share_, int extra_)
      : blocks(blocks_),
        block(block_),
        share(share_),
        extra(extra_),
        slab(block_ % kSlabs),
        position(block_ / kSlabs),
        positions((blocks_ - block_ % kSlabs + kSlabs - 1) / kSlabs) {}
  __device__ int FirstOf(int b) const { return b * share + min(b, extra); }
  __device__ int NeuronsOf(int b) const { return share + (b < extra ? 1 : 0); }
};

template <class T, int Hidden, int Rows>
struct SparseRowShared {
  using Size = RowSize<T, Hidden>;
  alignas(128) unsigned char ring[Size::kWarps][kStages][Size::kBytes];
  alignas(128) unsigned char x[Rows][Size::kBytes];
  alignas(16) uint32_t mask[kMaxBlocks][kMaskWords];  // of every block
  alignas(16) uint32_t own_mask[kMaskWords];
  uint64_t full[Size::kWarps][kStages];
  uint64_t x_full;
  // The block's up rows, in order of discovery: neuron of the block << 32 | bits of a, with several rows the
  // rows that keep it as bits; all ones: none yet.
  unsigned long long found[kMaxNeuronsPerBlock];
  float a[Rows == 1 ? 1 : Rows][Rows == 1 ? 1 : kMaxNeuronsPerBlock];  // of kept neurons, with several rows
  uint32_t threshold_bits[Rows][kMaxNeuronsPerBlock];
  float gate_bias[kMaxNeuronsPerBlock];
  float up_bias[kMaxNeuronsPerBlock];
  uint32_t h[Rows][kMaxDownRows];  // bits
  int neuron[kMaxDownRows];        // the rows of down that this block adds up, in the order of the sum
  int rank[kMaxBlocks + 1];        // kept neurons of the blocks before each one
  int task[Size::kWarps][kStages];
  float norm_squares[Rows][kNormWarps];
  int kept_by[Rows];  // how many neurons of the block each row keeps, with several rows
  int gate_next, found_next, found_count, decided, prefetched;
  int down_rows;     // -1: not known yet
  int down_planned;  // how many entries of neuron[] are there
  int h_ready;       // how many entries of h[] are there

  // At the end: a warp's sums of its slab's columns for row k, [Size::kGroups].
  __device__ float4* Sums(int warp, int k) {
    static_assert(Rows * Size::kSlabColumns * 4 <= kStages * Size::kBytes);
    return reinterpret_cast<float4*>(ring[warp][0] + k * Size::kSlabColumns * 4);
  }
};

// The place of the n-th set bit (n counts from 0) of a mask of kMaskWords words of kMaskBits bits.
__device__ __forceinline__ int NthKept(Words mask, int n) {
  const int n0 = __popc(mask.x), n1 = __popc(mask.y), n2 = __popc(mask.z);
  uint32_t bits = mask.x;
  int place = 0;
  if (n >= n0) n -= n0, bits = mask.y, place = kMaskBits;
  if (place == kMaskBits && n >= n1) n -= n1, bits = mask.z, place = 2 * kMaskBits;
  if (place == 2 * kMaskBits && n >= n2) n -= n2, bits = mask.w, place = 3 * kMaskBits;
#pragma unroll
  for (int half = 16; half > 0; half /= 2) {
    const int low = __popc(bits & ((1u << half) - 1));
    if (n >= low) n -= low, bits >>= half, place += half;
  }
  return place;
}

__device__ __forceinline__ int Count(Words mask) {
  return __popc(mask.x) + __popc(mask.y) + __popc(mask.z) + __popc(mask.w);
}

}  // namespace cats::cuda
