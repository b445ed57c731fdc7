// SPDX-License-Identifier: MIT
// The second kernel for several rows of SparseGatedMlp: y = sum over the kept neurons of h * down, in ranges
// of neurons that the third kernel adds up. 16-bit formats on the tensor cores, float32 by FMA. Where there
// are bulk copies, bulk_rows_down.cuh does the same with the same bits.
#pragma once
#include "kernels/cuda/sparse_rows.cuh"

namespace cats::cuda {

// ---- 16-bit formats ---------------------------------------------------------------------------------------
//
// One m16n8k16 product: A = 16 columns of down by 16 neurons, B = the same neurons by 8 rows of h. Lane
// 4g + t has 16 bytes, columns 8g to 8g + 7, of neurons t, t + 4, t + 8 and t + 12: pairs of those are A's
// registers, for 4 products. The neurons of a product are always the same 16, and what is not kept is 0 in A
// and B, so a row's sum does not depend on what others keep.
//
// h stays as good as float32: it is scaled by a power of two of its row (the largest value of a piece to
// 2^14) and split into terms of T, each with its own sums.

template <class T>
constexpr int kTerms = 0;
template <>
inline constexpr int kTerms<F16> = 2;  // 11 bits each
template <>
inline constexpr int kTerms<BF16> = 3;  // 8 bits each
// Of a term behind the first in float16, which would be subnormal without it.
template <class T>
constexpr float kTermScale = 1.0f;
template <>
inline constexpr float kTermScale<F16> = 2048.0f;

constexpr int kPiece = 32;     // tiles of neurons whose h is in shared memory at a time
constexpr int kDownAhead = 3;  // tiles of down that a warp of the plain kernel has asked for
constexpr int kDownThreads = kDownWarps * 32;
constexpr int kHeld = kPiece * kRowsTile * kRowGroup / kDownThreads;  // values of h of a thread

// h of a piece as the terms of B: [tile][term][row][4 (neuron % 4) + neuron / 4].
template <class T>
using PieceTerms = uint16_t[kPiece][kTerms<T>][kRowGroup][kRowsTile];

__device__ __forceinline__ uint32_t LowHalves(uint32_t a, uint32_t b) { return __byte_perm(a, b, 0x5410); }
__device__ __forceinline__ uint32_t HighHalves(uint32_t a, uint32_t b) { return __byte_perm(a, b, 0x7632); }

// The exponent of the scale that takes a row's largest finite |h| to [2^14, 2^15).
__device__ __forceinline__ int ScaleExponent(uint32_t largest_bits) {
  return largest_bits == 0u ? 0 : min(141 - static_cast<int>(largest_bits >> 23), 126);
}
__device__ __forceinline__ float PowerOfTwo(int exponent) {
  return __uint_as_float(static_cast<uint32_t>(127 + exponent) << 23);
}

// Thread n of kDownThreads holds row n % 8 of every 32nd neuron from n / 8 on, of the piece that begins with
// tile `first`.
template <int R>
__device__ __forceinline__ void HoldPiece(float (&held)[kHeld], const float* h /* [intermediate, R] */,
                                          int64_t first, int tiles, int64_t intermediate) {
  const int r = threadIdx.x % kRowGroup;
#pragma unroll
  for (int k = 0; k < kHeld; ++k) {
    const int neuron = k * 32 + threadIdx.x / kRowGroup;
    const int64_t i = first * kRowsTile + neuron;
    held[k] = r < R && neuron < tiles * kRowsTile && i < intermediate ? h[i * R + r] : 0.0f;
  }
}

// Takes part in the largest finite |h| of each row.
__device__ __forceinline__ void FindLargest(const float (&held)[kHeld], uint32_t* largest /* [kRowGroup] */) {
  uint32_t most = 0;
#pragma unroll
  for (float h : held) {
    const uint32_t bits = __float_as_uint(h) & 0x7fffffffu;
    if (bits < 0x7f800000u) most = max(most, bits);
  }
  most = max(most, __shfl_xor_sync(kAll, most, 8));
  most = max(most, __shfl_xor_sync(kAll, most, 16));
  if (threadIdx.x % 32 < kRowGroup) atomicMax(&largest[threadIdx.x % 32], most);
}

template <class T>
__device__ __forceinline__ void SplitPiece(const float (&held)[kHeld], const uint32_t* largest, int tiles,
                                           PieceTerms<T>& terms) {
  const int r = threadIdx.x % kRowGroup;
  const float scale = PowerOfTwo(ScaleExponent(largest[r]));
#pragma unroll
  for (int k = 0; k < kHeld; ++k) {
    const int neuron = k * 32 + threadIdx.x / kRowGroup;
    if (neuron >= tiles * kRowsTile) break;
    const int place = neuron % 4 * 4 + neuron % kRowsTile / 4;
    float rest = __fmul_rn(held[k], scale);
    const bool finite = (__float_as_uint(rest) & 0x7fffffffu) < 0x7f800000u;
#pragma unroll
    for (int term = 0; term < kTerms<T>; ++term) {
      terms[neuron / kRowsTile][term][r][place] = StoredBits(T{}, rest);
      rest = finite ? __fmul_rn(__fsub_rn(rest, Rounded(T{}, rest)), kTermScale<T>) : 0.0f;
    }
  }
}

// A warp's sums of a piece: [term][j][..] has columns 8g + 2j and 8g + 2j + 1 of rows 2t and 2t + 1.
template <class T, int R, bool Aligned>
struct DownSums {
  float sum[kTerms<T>][4][4] = {};

  // w[n]: the lane's 16 bytes of neuron t + 4n.
  __device__ __forceinline__ void Add(const uint4 (&w)[4], const PieceTerms<T>& terms, int tile) {
    const int g = threadIdx.x % 32 >> 2, t = threadIdx.x & 3;
    uint2 h[kTerms<T>];
#pragma unroll
    for (int term = 0; term < kTerms<T>; ++term) {
      h[term] = *reinterpret_cast<const uint2*>(&terms[tile][term][g][4 * t]);
    }
    const uint32_t words[4][4] = {{w[0].x, w[0].y, w[0].z, w[0].w},
                                  {w[1].x, w[1].y, w[1].z, w[1].w},
                                  {w[2].x, w[2].y, w[2].z, w[2].w},
                                  {w[3].x, w[3].y, w[3].z, w[3].w}};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const uint4 a = make_uint4(LowHalves(words[0][j], words[1][j]), HighHalves(words[0][j], words[1][j]),
                                 LowHalves(words[2][j], words[3][j]), HighHalves(words[2][j], words[3][j]));
#pragma unroll
      for (int term = 0; term < kTerms<T>; ++term) MatrixFma(T{}, sum[term][j], a, h[term].x, h[term].y);
    }
  }

  // Adds up the terms. True where any sum is not finite, the same in all lanes.
  __device__ __forceinline__ bool Combine(bool inside) {
    float probe = 0.0f;
#pragma unroll
    for (int term = kTerms<T> - 1; term >= 0; --term) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          probe = fmaf(sum[term][j][e], 0.0f, probe);
          if (term > 0) {
            sum[term - 1][j][e] = fmaf(sum[term][j][e], 1.0f / kTermScale<T>, sum[term - 1][j][e]);
          }
        }
      }
    }
    return __any_sync(kAll, inside && probe != 0.0f);
  }

  // out: float [R, hidden] from the lane's first column on. only: of this row alone, or -1 for all. added:
  // to what is there.
  __device__ __forceinline__ void Write(float* out, const uint32_t* largest, int64_t column, int64_t hidden,
                                        int only, bool added) {
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int row = 2 * (threadIdx.x & 3) + e;
      if (row >= R || (only >= 0 && row != only)) continue;
      const float back = PowerOfTwo(-ScaleExponent(largest[row]));
      float* to = out + row * hidden;
      float v[8];
#pragma unroll
      for (int c = 0; c < 8; ++c) {
        v[c] = sum[0][c / 2][c % 2 * 2 + e] * back;
        if (added && column + c < hidden) v[c] = to[c] + v[c];
      }
      if constexpr (Aligned) {
        if (column >= hidden) continue;
        reinterpret_cast<float4*>(to)[0] = make_float4(v[0], v[1], v[2], v[3]);
        reinterpret_cast<float4*>(to)[1] = make_float4(v[4], v[5], v[6], v[7]);
      } else {
#pragma unroll
        for (int c = 0; c < 8; ++c) {
          if (column + c < hidden) to[c] = v[c];
        }
      }
    }
  }
};

// The lane's 16 bytes of the neurons of a tile that a row of `select` keeps, 0 for the others.
template <class T, bool Aligned>
__device__ __forceinline__ void LoadTile(uint4 (&w)[4], const T* tile /* [kRowsTile, hidden] */,
                                         const uint4& kept, uint32_t select, int64_t column, int64_t hidden) {
  const int t = threadIdx.x & 3;
  const uint32_t words[4] = {kept.x, kept.y, kept.z, kept.w};
#pragma unroll
  for (int n = 0; n < 4; ++n) {
    w[n] = make_uint4(0, 0, 0, 0);
    if ((words[n] >> (8 * t) & select) != 0u) {
      w[n] = Load16<T, Aligned, true>(tile + (t + 4 * n) * hidden, column, hidden);
    }
  }
}

// Where a sum of all rows at once is not finite: row by row. Then a neuron that a row skips is 0 in A, so
// that it adds nothing to that row, not even 0 * NaN. Bits where all is well: those of all rows at once.
template <class T, int R, bool Aligned>
__device__ __noinline__ void DownRowByRow(const T* down /* from the piece's first neuron on */,
                                          const uint4* kept /* [tiles] */, const PieceTerms<T>& terms,
                                          int tiles, float* out, const uint32_t* largest, int64_t column,
                                          int64_t hidden, bool added) {
  for (int only = 0; only < R; ++only) {
    DownSums<T, R, Aligned> sums;
    for (int tile = 0; tile < tiles; ++tile) {
      uint4 w[4];
      LoadTile<T, Aligned>(w, down + tile * kRowsTile * hidden, kept[tile], 1u << only, column, hidden);
      sums.Add(w, terms, tile);
    }
    sums.Combine(false);
    sums.Write(out, largest, column, hidden, only, added);
  }
}

// Block (column tile, part).
template <class T, int R, bool Aligned>
__global__ void __launch_bounds__(kDownThreads, 2) SparseRowsDown(const GatedMlpArgs args) {
  __shared__ __align__(16) PieceTerms<T> terms;
  __shared__ uint4 kept[kPiece];
  __shared__ uint32_t largest[kRowGroup];
  const int lane = threadIdx.x % 32;
  const int64_t column =
      (static_cast<int64_t>(blockIdx.x) * kDownWarps + threadIdx.x / 32) * kDownColumns + lane / 4 * 8;
  const SparseRowsScratch at(false, R, args.intermediate, args.hidden);
  auto* scratch = static_cast<uint32_t*>(args.scratch);
  auto* const out = reinterpret_cast<float*>(scratch + at.parts) +
                    static_cast<int64_t>(blockIdx.y) * R * args.hidden + column;
  const int64_t begin = at.tiles * blockIdx.y / gridDim.y;
  const int64_t end = at.tiles * (blockIdx.y + 1) / gridDim.y;
  AllowNextKernel();
  WaitForPreviousKernel();

  // At least once, so that an empty range writes its zeros.
  for (int64_t first = begin; first < end || first == begin; first += kPiece) {
    const int tiles = static_cast<int>(min(static_cast<int64_t>(kPiece), end - first));
    const T* const down = static_cast<const T*>(args.down) + first * kRowsTile * args.hidden;
    float held[kHeld];
    HoldPiece<R>(held, reinterpret_cast<const float*>(scratch + at.h), first, tiles, args.intermediate);
    if (threadIdx.x < tiles) {
      kept[threadIdx.x] = reinterpret_cast<const uint4*>(scratch + at.kept)[first + threadIdx.x];
    }
    if (threadIdx.x < kRowGroup) largest[threadIdx.x] = 0u;
    __syncthreads();
    uint4 w[kDownAhead][4] = {};
    const auto load = [&](int slot, int tile) {
      if (tile >= tiles) return;
      LoadTile<T, Aligned>(w[slot], down + tile * kRowsTile * args.hidden, kept[tile], 0xffu, column,
                           args.hidden);
    };
#pragma unroll
    for (int slot = 0; slot < kDownAhead; ++slot) load(slot, slot);
    FindLargest(held, largest);
    __syncthreads();
    SplitPiece<T>(held, largest, tiles, terms);
    __syncthreads();

    DownSums<T, R, Aligned> sums;
    for (int base = 0; base < tiles; base += kDownAhead) {
#pragma unroll
      for (int slot = 0; slot < kDownAhead; ++slot) {
        const int tile = base + slot;
        if (tile >= tiles) break;
        sums.Add(w[slot], terms, tile);
        load(slot, tile + kDownAhead);
      }
    }
    if (sums.Combine(column < args.hidden) && R > 1) {
      DownRowByRow<T, R, Aligned>(down, kept, terms, tiles, out, largest, column, args.hidden,
                                  first != begin);
    } else {
      sums.Write(out, largest, column, args.hidden, -1, first != begin);
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
