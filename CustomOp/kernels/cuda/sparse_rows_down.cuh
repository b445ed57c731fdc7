// SPDX-License-Identifier: MIT
// The second kernel for several rows of SparseGatedMlp: y = sum over the kept neurons of h * down, in ranges
// of neurons that the third kernel adds up. 16-bit formats on the tensor cores, float32 by FMA.
#pragma once
#include "kernels/cuda/sparse_rows.cuh"

namespace cats::cuda {

// ---- 16-bit formats ---------------------------------------------------------------------------------------
//
// One m16n8k16 product: A = 16 columns of down by 16 neurons, B = the same neurons by 8 rows of h. Lane
// 4g + t loads 16 bytes of neurons 4t to 4t + 3, columns 8g to 8g + 7: pairs of those are A's registers, for
// 4 products. The neurons of a product are always the same 16, and what is not kept is 0 in A and B, so a
// row's sum does not depend on what others keep.
//
// h stays as good as float32: it is scaled by a power of two of its row (the largest value of a piece to
// 2^14) and split into terms of T, each with its own sums.

template <class T>
constexpr int kTerms = 0;
template <>
inline constexpr int kTerms<F16> = 2;  // 11 bits each
template <>
inline constexpr int kTerms<BF16> = 3;  // 8 bits each
constexpr int kPiece = 32;              // tiles of neurons whose h is in shared memory at a time
constexpr int kDownAhead = 3;           // tiles of down that a warp has asked for

__device__ __forceinline__ uint32_t LowHalves(uint32_t a, uint32_t b) { return __byte_perm(a, b, 0x5410); }
__device__ __forceinline__ uint32_t HighHalves(uint32_t a, uint32_t b) { return __byte_perm(a, b, 0x7632); }

// The exponent of the scale that takes a row's largest finite |h| to [2^14, 2^15).
__device__ __forceinline__ int ScaleExponent(uint32_t largest_bits) {
  return largest_bits == 0u ? 0 : min(141 - static_cast<int>(largest_bits >> 23), 126);
}
__device__ __forceinline__ float PowerOfTwo(int exponent) {
  return __uint_as_float(static_cast<uint32_t>(127 + exponent) << 23);
}
// Of a term behind the first in float16, which would be subnormal without it.
template <class T>
constexpr float kTermScale = 1.0f;
template <>
inline constexpr float kTermScale<F16> = 2048.0f;

// Block (column tile, part).
template <class T, int R, bool Aligned>
__global__ void __launch_bounds__(kDownWarps * 32, 2) SparseRowsDown(const GatedMlpArgs args) {
  constexpr int kT = kTerms<T>;
  __shared__ __align__(16) uint16_t terms[kPiece][kT][kRowGroup][kRowsTile];
  __shared__ uint32_t kept[kPiece * 4];
  __shared__ uint32_t largest[kRowGroup];
  const int thread = threadIdx.x, lane = thread % 32, g = lane >> 2, t = lane & 3;
  const int64_t column = (static_cast<int64_t>(blockIdx.x) * kDownWarps + thread / 32) * kDownColumns + g * 8;
  const SparseRowsScratch at(false, R, args.intermediate, args.hidden);
  auto* scratch = static_cast<uint32_t*>(args.scratch);
  const T* const down = static_cast<const T*>(args.down);
  auto* const out = reinterpret_cast<float*>(scratch + at.parts) +
                    static_cast<int64_t>(blockIdx.y) * R * args.hidden + column;
  const int64_t begin = at.tiles * blockIdx.y / gridDim.y;
  const int64_t end = at.tiles * (blockIdx.y + 1) / gridDim.y;
  AllowNextKernel();
  WaitForPreviousKernel();

  // At least once, so that an empty range writes its zeros.
  for (int64_t first = begin; first < end || first == begin; first += kPiece) {
    const int tiles = static_cast<int>(min(static_cast<int64_t>(kPiece), end - first));
    // h of row thread % 8, every 32nd neuron.
    const int r = thread % kRowGroup;
    float mine[kPiece * kRowsTile / 32];
#pragma unroll
    for (int k = 0; k < kPiece * kRowsTile / 32; ++k) {
      const int64_t i = first * kRowsTile + k * 32 + thread / kRowGroup;
      mine[k] = 0.0f;
      if (r < R && k * 32 + thread / kRowGroup < tiles * kRowsTile && i < args.intermediate) {
        mine[k] = __uint_as_float(scratch[at.h + i * R + r]);
      }
    }
    if (thread < tiles * 4) kept[thread] = scratch[at.kept + first * 4 + thread];
    if (thread < kRowGroup) largest[thread] = 0u;
    __syncthreads();

    uint4 w[kDownAhead][4];
    uint32_t select = 0xffffffffu;  // the rows whose neurons are read
    const auto load = [&](int slot, int tile) {
      const uint32_t bits = tile < tiles ? kept[tile * 4 + t] & select : 0u;
      const T* row = down + ((first + tile) * kRowsTile + 4 * t) * args.hidden;
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        w[slot][n] = make_uint4(0, 0, 0, 0);
        if ((bits >> (8 * n) & 0xffu) != 0u) {
          w[slot][n] = Load16<T, Aligned, true>(row + n * args.hidden, column, args.hidden);
        }
      }
    };
#pragma unroll
    for (int slot = 0; slot < kDownAhead; ++slot) load(slot, slot);

    uint32_t most = 0;
#pragma unroll
    for (float h : mine) {
      const uint32_t bits = __float_as_uint(h) & 0x7fffffffu;
      if (bits < 0x7f800000u) most = max(most, bits);
    }
    most = max(most, __shfl_xor_sync(kAll, most, 8));
    most = max(most, __shfl_xor_sync(kAll, most, 16));
    if (lane < kRowGroup) atomicMax(&largest[lane], most);
    __syncthreads();
    const float scale = PowerOfTwo(ScaleExponent(largest[r]));
#pragma unroll
    for (int k = 0; k < kPiece * kRowsTile / 32; ++k) {
      const int neuron = k * 32 + thread / kRowGroup;
      if (neuron >= tiles * kRowsTile) break;
      float rest = __fmul_rn(mine[k], scale);
      const bool finite = (__float_as_uint(rest) & 0x7fffffffu) < 0x7f800000u;
#pragma unroll
      for (int term = 0; term < kT; ++term) {
        terms[neuron / kRowsTile][term][r][neuron % kRowsTile] = StoredBits(T{}, rest);
        rest = finite ? __fmul_rn(__fsub_rn(rest, Rounded(T{}, rest)), kTermScale<T>) : 0.0f;
      }
    }
    __syncthreads();

    // All rows at once; where the result is not finite, row by row: then a neuron that a row skips is 0 in
    // A, so that it adds nothing to that row, not even 0 * NaN.
    for (int only = -1; only < R; ++only) {
      if (only >= 0) {
        select = 0x01010101u << only;
#pragma unroll
        for (int slot = 0; slot < kDownAhead; ++slot) load(slot, slot);
      }
      float sum[kT][4][4] = {};
      for (int base = 0; base < tiles; base += kDownAhead) {
#pragma unroll
        for (int slot = 0; slot < kDownAhead; ++slot) {
          const int tile = base + slot;
          if (tile >= tiles) break;
          const uint2* b = reinterpret_cast<const uint2*>(&terms[tile][0][g][4 * t]);
          uint2 h[kT];
#pragma unroll
          for (int term = 0; term < kT; ++term) h[term] = b[term * kRowGroup * kRowsTile / 4];
          const uint32_t words[4][4] = {{w[slot][0].x, w[slot][0].y, w[slot][0].z, w[slot][0].w},
                                        {w[slot][1].x, w[slot][1].y, w[slot][1].z, w[slot][1].w},
                                        {w[slot][2].x, w[slot][2].y, w[slot][2].z, w[slot][2].w},
                                        {w[slot][3].x, w[slot][3].y, w[slot][3].z, w[slot][3].w}};
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            const uint4 a =
                make_uint4(LowHalves(words[0][j], words[1][j]), HighHalves(words[0][j], words[1][j]),
                           LowHalves(words[2][j], words[3][j]), HighHalves(words[2][j], words[3][j]));
#pragma unroll
            for (int term = 0; term < kT; ++term) MatrixFma(T{}, sum[term][j], a, h[term].x, h[term].y);
          }
          load(slot, tile + kDownAhead);
        }
      }
      // Columns 2j and 2j + 1 of rows 2t and 2t + 1.
      float probe = 0.0f;
#pragma unroll
      for (int term = kT - 1; term >= 0; --term) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            probe = fmaf(sum[term][j][e], 0.0f, probe);
            if (term > 0)
              sum[term - 1][j][e] = fmaf(sum[term][j][e], 1.0f / kTermScale<T>, sum[term - 1][j][e]);
          }
        }
      }
      if (R > 1 && only < 0 && __any_sync(kAll, probe != 0.0f)) continue;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int row = 2 * t + e;
        if (row >= R || (only >= 0 && row != only)) continue;
        const float back = PowerOfTwo(-ScaleExponent(largest[row]));
        float* to = out + row * args.hidden;
        float v[8];
#pragma unroll
        for (int c = 0; c < 8; ++c) {
          v[c] = sum[0][c / 2][c % 2 * 2 + e] * back;
          if (first != begin && column + c < args.hidden) v[c] = to[c] + v[c];
        }
        if constexpr (Aligned) {
          if (column >= args.hidden) continue;
          reinterpret_cast<float4*>(to)[0] = make_float4(v[0], v[1], v[2], v[3]);
          reinterpret_cast<float4*>(to)[1] = make_float4(v[4], v[5], v[6], v[7]);
        } else {
#pragma unroll
          for (int c = 0; c < 8; ++c) {
            if (column + c < args.hidden) to[c] = v[c];
          }
        }
      }
      if (only < 0) break;
    }
    __syncthreads();  // the next piece takes the shared memory
  }
}

// ---- float32 ----------------------------------------------------------------------------------------------

// Block (column tile, part): warp w takes neurons w, w + 8, ... of the part, a lane 16 bytes of each.
template <int R, bool Aligned>
__global__ void __launch_bounds__(kDownWarps * 32, R <= 2   ? 4
                                                   : R <= 4 ? 3
                                                            : 2)
    SparseRowsDownFloat(const GatedMlpArgs args) {
  constexpr int kColumns = 128;
  constexpr int kAhead = 4;
  __shared__ float warps[kDownWarps][kColumns];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t tile = static_cast<int64_t>(blockIdx.x) * kColumns;
  const int64_t column = tile + lane * 4;
  const int64_t begin = args.intermediate * blockIdx.y / gridDim.y;
  const int64_t end = args.intermediate * (blockIdx.y + 1) / gridDim.y;
  const SparseRowsScratch at(true, R, args.intermediate, args.hidden);
  auto* scratch = static_cast<uint32_t*>(args.scratch);
  const auto* kept_bytes = reinterpret_cast<const uint8_t*>(scratch + at.kept);
  const F32* down = static_cast<const F32*>(args.down);
  AllowNextKernel();
  WaitForPreviousKernel();
  float sum[R][4] = {};
  for (int64_t base = begin + warp; base < end; base += kDownWarps * 32) {
    const int64_t mine = base + lane * kDownWarps;
    const uint32_t kept = mine < end ? kept_bytes[mine] : 0u;
    uint32_t rest = __ballot_sync(kAll, kept != 0u);
    while (rest != 0u) {
      uint4 w[kAhead];
      uint32_t mask[kAhead];
      float h[kAhead][R];
#pragma unroll
      for (int k = 0; k < kAhead; ++k) {
        const int from = rest != 0u ? __ffs(rest) - 1 : 0;
        mask[k] = __shfl_sync(kAll, kept, from);
        if (rest == 0u) mask[k] = 0u;
        rest &= rest - 1u;
        if (mask[k] == 0u) continue;
        const int64_t i = base + from * kDownWarps;
        w[k] = Load16<F32, Aligned, true>(down + i * args.hidden, column, args.hidden);
#pragma unroll
        for (int r = 0; r < R; ++r) h[k][r] = __uint_as_float(scratch[at.h + i * R + r]);
      }
#pragma unroll
      for (int k = 0; k < kAhead; ++k) {
#pragma unroll
        for (int r = 0; r < R; ++r) {
          if ((mask[k] >> r & 1u) == 0u) continue;
          sum[r][0] = fmaf(h[k][r], __uint_as_float(w[k].x), sum[r][0]);
          sum[r][1] = fmaf(h[k][r], __uint_as_float(w[k].y), sum[r][1]);
          sum[r][2] = fmaf(h[k][r], __uint_as_float(w[k].z), sum[r][2]);
          sum[r][3] = fmaf(h[k][r], __uint_as_float(w[k].w), sum[r][3]);
        }
      }
    }
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
#pragma unroll
    for (int e = 0; e < 4; ++e) warps[warp][lane * 4 + e] = sum[r][e];
    __syncthreads();
    if (threadIdx.x < kColumns && tile + threadIdx.x < args.hidden) {
      float v = warps[0][threadIdx.x];
#pragma unroll
      for (int other = 1; other < kDownWarps; ++other) v += warps[other][threadIdx.x];
      scratch[at.parts + (static_cast<int64_t>(blockIdx.y) * R + r) * args.hidden + tile + threadIdx.x] =
          __float_as_uint(v);
    }
    __syncthreads();
  }
}

}  // namespace cats::cuda
