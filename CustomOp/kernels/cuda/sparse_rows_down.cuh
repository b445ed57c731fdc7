// SPDX-License-Identifier: MIT
// The second kernel for several rows of SparseGatedMlp: y = sum over the kept neurons of h * down, in ranges
// of neurons that the third kernel adds up. 16-bit formats on the tensor cores, float32 by FMA.
#pragma once
#include "kernels/cuda/sparse_rows.cuh"

namespace cats::cuda {

// ---- 16-bit formats ---------------------------------------------------------------------------------------
//
// One m16n8k16 product: A = 16 columns of down by 16 neurons, B = the same neurons by 8 rows of h. Lane
// 4g + t has 16 bytes, columns 8g to 8g + 7, of neurons t, t + 4, t + 8 and t + 12: pairs of those are A's
// registers, for 4 products. The neurons of a product are always the same 16, and what is not kept is 0 in A
// and B, so a row's sum does not depend on what others keep.

constexpr int kDownAhead = 3;  // tiles that a warp has asked for

__device__ __forceinline__ uint32_t LowHalves(uint32_t a, uint32_t b) { return __byte_perm(a, b, 0x5410); }
__device__ __forceinline__ uint32_t HighHalves(uint32_t a, uint32_t b) { return __byte_perm(a, b, 0x7632); }

__device__ __forceinline__ uint32_t AnyOf(uint32_t four) {  // bytes to bits
  return (four & 0xffu ? 1u : 0u) | (four & 0xff00u ? 2u : 0u) | (four & 0xff0000u ? 4u : 0u) |
         (four & 0xff000000u ? 8u : 0u);
}

// A warp's sums: [term][j][..] has columns 8g + 2j and 8g + 2j + 1 of rows 2t and 2t + 1.
template <class T, int R, bool Aligned>
struct DownSums {
  float sum[2][4][4] = {};

  // w[n]: the lane's 16 bytes of neuron t + 4n. h: the lane's two terms of row g of these neurons.
  __device__ __forceinline__ void Add(const uint4 (&w)[4], const uint4& h) {
    const uint32_t words[4][4] = {{w[0].x, w[0].y, w[0].z, w[0].w},
                                  {w[1].x, w[1].y, w[1].z, w[1].w},
                                  {w[2].x, w[2].y, w[2].z, w[2].w},
                                  {w[3].x, w[3].y, w[3].z, w[3].w}};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const uint4 a = make_uint4(LowHalves(words[0][j], words[1][j]), HighHalves(words[0][j], words[1][j]),
                                 LowHalves(words[2][j], words[3][j]), HighHalves(words[2][j], words[3][j]));
      MatrixFma(T{}, sum[0][j], a, h.x, h.y);
      MatrixFma(T{}, sum[1][j], a, h.z, h.w);
    }
  }

  // Adds up the terms. True where any sum is not finite, the same in all lanes.
  __device__ __forceinline__ bool Combine() {
    float probe = 0.0f;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        sum[0][j][e] =
            fmaf(sum[1][j][e], 1.0f / HTerms<T>::kSecond, sum[0][j][e]) * (1.0f / HTerms<T>::kScale);
        probe = fmaf(sum[0][j][e], 0.0f, probe);
      }
    }
    return __any_sync(kAll, probe != 0.0f);
  }

  // out: float [R, hidden] from the lane's first column on. only: of this row alone, or -1 for all.
  __device__ __forceinline__ void Write(float* out, int64_t column, int64_t hidden, int only) const {
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int row = 2 * (threadIdx.x & 3) + e;
      if (row >= R || (only >= 0 && row != only)) continue;
      float* to = out + row * hidden;
      if constexpr (Aligned) {
        if (column >= hidden) continue;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const float(&low)[4] = sum[0][2 * half], (&high)[4] = sum[0][2 * half + 1];
          reinterpret_cast<float4*>(to)[half] = make_float4(low[e], low[2 + e], high[e], high[2 + e]);
        }
      } else {
#pragma unroll
        for (int c = 0; c < 8; ++c) {
          if (column + c < hidden) to[c] = sum[0][c / 2][c % 2 * 2 + e];
        }
      }
    }
  }
};

// The lane's 16 bytes of those neurons of a tile that `take` has a bit for, 0 for the others.
template <class T, bool Aligned>
__device__ __forceinline__ void LoadTile(uint4 (&w)[4], const T* tile /* [kRowsTile, hidden] */,
                                         uint32_t take, int64_t column, int64_t hidden) {
  const int t = threadIdx.x & 3;
#pragma unroll
  for (int n = 0; n < 4; ++n) {
    w[n] = make_uint4(0, 0, 0, 0);
    if ((take >> (t + 4 * n) & 1u) != 0u) {
      w[n] = Load16<T, Aligned, true>(tile + (t + 4 * n) * hidden, column, hidden);
    }
  }
}

// Where a sum of all rows at once is not finite: row by row. Then a neuron that a row skips is 0 in A, so
// that it adds nothing to that row, not even 0 * NaN. Bits where all is well: those of all rows at once.
template <class T, int R, bool Aligned>
__device__ __noinline__ void DownRowByRow(const T* down, const uint4* kept /* [tiles] */,
                                          const uint4* h /* [tiles, 32], from the lane's on */, int64_t begin,
                                          int64_t end, float* out, int64_t column, int64_t hidden) {
  for (int only = 0; only < R; ++only) {
    DownSums<T, R, Aligned> sums;
    const uint32_t select = 0x01010101u << only;
    for (int64_t tile = begin; tile < end; ++tile) {
      const uint4 k = kept[tile];
      const uint32_t take = AnyOf(k.x & select) | AnyOf(k.y & select) << 4 | AnyOf(k.z & select) << 8 |
                            AnyOf(k.w & select) << 12;
      if (take == 0u) continue;
      uint4 w[4];
      LoadTile<T, Aligned>(w, down + tile * kRowsTile * hidden, take, column, hidden);
      sums.Add(w, h[tile * 32]);
    }
    sums.Combine();
    sums.Write(out, column, hidden, only);
  }
}

// Block (column tile, part).
template <class T, int R, bool Aligned>
__global__ void __launch_bounds__(kDownWarps * 32, 2) SparseRowsDown(const GatedMlpArgs args) {
  const int lane = threadIdx.x % 32;
  const int64_t column =
      (static_cast<int64_t>(blockIdx.x) * kDownWarps + threadIdx.x / 32) * kDownColumns + lane / 4 * 8;
  const SparseRowsScratch at(false, R, args.intermediate, args.hidden);
  auto* scratch = static_cast<uint32_t*>(args.scratch);
  const auto* kept = reinterpret_cast<const uint4*>(scratch + at.kept);
  const auto* h = reinterpret_cast<const uint4*>(scratch + at.h) + lane;
  auto* const out = reinterpret_cast<float*>(scratch + at.parts) +
                    static_cast<int64_t>(blockIdx.y) * R * args.hidden + column;
  const T* const down = static_cast<const T*>(args.down);
  const int64_t begin = at.tiles * blockIdx.y / gridDim.y;
  const int64_t end = at.tiles * (blockIdx.y + 1) / gridDim.y;
  AllowNextKernel();
  WaitForPreviousKernel();

  DownSums<T, R, Aligned> sums;
  for (int64_t first = begin; first < end; first += 32) {
    const int tiles = static_cast<int>(min(int64_t{32}, end - first));
    uint32_t mine = 0;  // lane n: the neurons of tile n that any row keeps
    if (lane < tiles) {
      const uint4 k = kept[first + lane];
      mine = AnyOf(k.x) | AnyOf(k.y) << 4 | AnyOf(k.z) << 8 | AnyOf(k.w) << 12;
    }
    uint4 w[kDownAhead][4], terms[kDownAhead];
    uint32_t take[kDownAhead];
    const auto load = [&](int slot, int tile) {
      take[slot] = tile < tiles ? __shfl_sync(kAll, mine, tile) : 0u;
      if (take[slot] == 0u) return;
      terms[slot] = h[(first + tile) * 32];
      LoadTile<T, Aligned>(w[slot], down + (first + tile) * kRowsTile * args.hidden, take[slot], column,
                           args.hidden);
    };
#pragma unroll
    for (int slot = 0; slot < kDownAhead; ++slot) load(slot, slot);
    for (int base = 0; base < tiles; base += kDownAhead) {
#pragma unroll
      for (int slot = 0; slot < kDownAhead; ++slot) {
        if (take[slot] != 0u) sums.Add(w[slot], terms[slot]);
        load(slot, base + slot + kDownAhead);
      }
    }
  }
  if (sums.Combine() && R > 1) {
    DownRowByRow<T, R, Aligned>(down, kept, h, begin, end, out, column, args.hidden);
  } else {
    sums.Write(out, column, args.hidden, -1);
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
