// SPDX-License-Identifier: MIT
// Up to 8 rows of SparseGatedMlp in three kernels: decisions and h (here), weighted sums of down rows
// (sparse_rows_down.cuh), the last sum (here). Each row has its own mask; gate is read once, up and down
// where any row keeps the neuron. No float atomics, every sum in an order that depends on the sizes and that
// row's mask alone.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/device_memory.cuh"
#include "kernels/cuda/row_math.cuh"
#include "kernels/cuda/sparse_rows.h"
#include "kernels/decision.h"
#include "kernels/silu.h"

namespace cats::cuda {

// The rows of one launch.
struct RowGroup {
  int64_t first;  // of args.rows
  int count;      // 1 to kRowGroup
};

template <class T>
constexpr int kLaneElements = 16 / sizeof(T);

// The warps of a block share the columns of 16-bit rows; of float32 rows each warp has its own.
template <class T>
constexpr int kSlices = sizeof(T) == 2 ? kRowsWarps : 1;

// 16 bytes of a row from element k on, zeros behind its end. Aligned: the address and the row's length allow
// it.
template <class T, bool Aligned, bool Once>
__device__ __forceinline__ uint4 Load16(const T* row /* [size] */, int64_t k, int64_t size) {
  uint4 v = make_uint4(0, 0, 0, 0);
  if constexpr (Aligned) {
    const auto* p = reinterpret_cast<const uint4*>(row + k);
    if (k < size) v = Once ? LoadOnce(p) : __ldg(p);
  } else {
    alignas(16) T elements[kLaneElements<T>] = {};
#pragma unroll
    for (int e = 0; e < kLaneElements<T>; ++e) {
      if (k + e < size) elements[e] = row[k + e];
    }
    memcpy(&v, elements, sizeof v);
  }
  return v;
}

// h of 16-bit formats, between the first kernel and the second: the sum of two T, one for what the other
// left, so 22 bits of it in float16 and 16 in bfloat16. float16: in units of 64, so up to 4e6, and the second
// term in units of 1/32, so that it is not subnormal; at least 2^-30 is told apart. As the second kernel's
// lanes take them: [tile][row][neuron % 4][term][neuron % 16 / 4].
template <class T>
struct HTerms {
  static constexpr float kScale = std::is_same_v<T, F16> ? 1.0f / 64 : 1.0f;
  static constexpr float kSecond = std::is_same_v<T, F16> ? 2048.0f : 1.0f;

  __device__ __forceinline__ static void Split(float value, uint16_t& first, uint16_t& second) {
    const float scaled = __fmul_rn(value, kScale), rounded = Rounded(T{}, scaled);
    const bool finite = (__float_as_uint(rounded) & 0x7fffffffu) < 0x7f800000u;
    first = StoredBits(T{}, scaled);
    second = StoredBits(T{}, finite ? __fmul_rn(__fsub_rn(scaled, rounded), kSecond) : 0.0f);
  }

  __device__ __forceinline__ static void Store(uint16_t* h, int64_t neuron, int row, float value) {
    const int place = static_cast<int>(neuron % kRowsTile);
    uint16_t* to = h + ((neuron / kRowsTile * kRowGroup + row) * 4 + place % 4) * 8 + place / 4;
    Split(value, to[0], to[4]);
  }
};

// The products of a tile's neurons with the rows, in kSlices parts to add up in order. take: bit n for neuron
// n. 16-bit formats, on the tensor cores: neurons are the rows of A, the rows of x the columns of B, and in
// 32 elements lane 4g + t holds elements 8t to 8t + 7 of neurons g and g + 8 and of row g.
template <class T, int R, bool Aligned>
__device__ __forceinline__ void TileDots(const T* weights /* [kRowsTile, hidden] */, uint32_t take,
                                         const T* x /* [rows, hidden] */, int rows, int64_t hidden,
                                         float (&sums)[kSlices<T>][kRowsTile][kRowGroup]) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if constexpr (sizeof(T) == 2) {
    constexpr int kAhead = 4;
    const int g = lane >> 2, t = lane & 3;
    const int64_t chunks = (hidden + 31) / 32;
    const int64_t end = chunks * (warp + 1) / kRowsWarps;
    const bool low = (take >> g & 1u) != 0, high = (take >> (g + 8) & 1u) != 0;
    const T* const low_row = weights + g * hidden;
    const T* const high_row = weights + (g + 8) * hidden;
    const T* const x_row = x + g * hidden;
    const uint4 zero = make_uint4(0, 0, 0, 0);
    float sum[2][4] = {};
    for (int64_t chunk = chunks * warp / kRowsWarps; chunk < end; chunk += kAhead) {
      uint4 a[kAhead], b[kAhead], v[kAhead];
#pragma unroll
      for (int c = 0; c < kAhead; ++c) {
        const int64_t k = (chunk + c) * 32 + t * 8;
        const bool inside = chunk + c < end;
        a[c] = inside && low ? Load16<T, Aligned, true>(low_row, k, hidden) : zero;
        b[c] = inside && high ? Load16<T, Aligned, true>(high_row, k, hidden) : zero;
        v[c] = inside && g < rows ? Load16<T, Aligned, false>(x_row, k, hidden) : zero;
      }
#pragma unroll
      for (int c = 0; c < kAhead; ++c) {
        MatrixFma(T{}, sum[0], make_uint4(a[c].x, b[c].x, a[c].y, b[c].y), v[c].x, v[c].y);
        MatrixFma(T{}, sum[1], make_uint4(a[c].z, b[c].z, a[c].w, b[c].w), v[c].z, v[c].w);
      }
    }
    sums[warp][g][2 * t] = sum[0][0] + sum[1][0];
    sums[warp][g][2 * t + 1] = sum[0][1] + sum[1][1];
    sums[warp][g + 8][2 * t] = sum[0][2] + sum[1][2];
    sums[warp][g + 8][2 * t + 1] = sum[0][3] + sum[1][3];
  } else {
    for (int n = warp; n < kRowsTile; n += kRowsWarps) {
      if ((take >> n & 1u) == 0) continue;
      float sum[R] = {};
#pragma unroll 4
      for (int64_t k = lane * 4; k < hidden; k += 128) {
        const uint4 w = Load16<T, Aligned, true>(weights + n * hidden, k, hidden);
#pragma unroll
        for (int r = 0; r < R; ++r) {
          if (r >= rows) break;
          const uint4 v = Load16<T, Aligned, false>(x + r * hidden, k, hidden);
          sum[r] = fmaf(__uint_as_float(w.x), __uint_as_float(v.x), sum[r]);
          sum[r] = fmaf(__uint_as_float(w.y), __uint_as_float(v.y), sum[r]);
          sum[r] = fmaf(__uint_as_float(w.z), __uint_as_float(v.z), sum[r]);
          sum[r] = fmaf(__uint_as_float(w.w), __uint_as_float(v.w), sum[r]);
        }
      }
#pragma unroll
      for (int r = 0; r < R; ++r) {
        const float total = SumOfWarp(sum[r]);
        if (lane == 0) sums[0][n][r] = total;
      }
    }
  }
}

// One block per tile of neurons.
template <class T, int R, bool Aligned>
__global__ void __launch_bounds__(kRowsWarps * 32, 24 / kRowsWarps)
    SparseRowsNeurons(const GatedMlpArgs args, const RowGroup group) {
  __shared__ float sums[kSlices<T>][kRowsTile][kRowGroup];
  __shared__ uint32_t kept[kRowsTile];
  AllowNextKernel();
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kRowsTile;
  const int64_t left = args.intermediate - first;
  const uint32_t present = left >= kRowsTile ? 0xffffu : (1u << left) - 1u;
  const T* x = static_cast<const T*>(args.x) + group.first * args.hidden;
  TileDots<T, R, Aligned>(static_cast<const T*>(args.gate) + first * args.hidden, present, x, group.count,
                          args.hidden, sums);
  __syncthreads();

  const int n = threadIdx.x / kRowGroup, r = threadIdx.x % kRowGroup;
  const int64_t i = first + n;
  static_assert(kRowsWarps * 32 == kRowsTile * kRowGroup);
  const bool counts = i < args.intermediate && r < group.count && r < R;
  const auto total = [&] {
    float v = sums[0][n][r];
#pragma unroll
    for (int slice = 1; slice < kSlices<T>; ++slice) v += sums[slice][n][r];
    return v;
  };
  bool keeps = false;
  float a = 0.0f;
  if (counts) {
    float g = total();
    if (args.gate_bias != nullptr) g = __fadd_rn(g, T::ToFloat(static_cast<const T*>(args.gate_bias)[i]));
    a = Rounded(T{}, Silu(Rounded(T{}, g)));
    const float scale = args.threshold_scale == nullptr
                            ? 1.0f
                            : args.threshold_scale[args.scale_per_row ? group.first + r : 0];
    keeps = IsKept(a, ThresholdBits(args.threshold[args.threshold_per_neuron ? i : 0], scale));
  }
  const uint32_t votes = __ballot_sync(kAll, keeps);
  if (r == 0) kept[n] = votes >> (threadIdx.x % 32) & 0xffu;
  __syncthreads();

  uint32_t take = 0;
#pragma unroll
  for (int k = 0; k < kRowsTile; ++k) take |= kept[k] != 0u ? 1u << k : 0u;
  if (take != 0) {
    TileDots<T, R, Aligned>(static_cast<const T*>(args.up) + first * args.hidden, take, x, group.count,
                            args.hidden, sums);
  }
  __syncthreads();
  const SparseRowsScratch at(sizeof(T) == 4, R, args.intermediate, args.hidden);
  auto* scratch = static_cast<uint32_t*>(args.scratch);
  if (threadIdx.x < kRowsTile / 4) {
    const uint32_t* four = kept + 4 * threadIdx.x;
    scratch[at.kept + first / 4 + threadIdx.x] = four[0] | four[1] << 8 | four[2] << 16 | four[3] << 24;
  }
  float h = 0.0f;
  if (keeps) {
    h = total();
    if (args.up_bias != nullptr) h = __fadd_rn(h, T::ToFloat(static_cast<const T*>(args.up_bias)[i]));
    h = __fmul_rn(a, h);
  }
  if constexpr (sizeof(T) == 2) {
    HTerms<T>::Store(reinterpret_cast<uint16_t*>(scratch + at.h), i, r, h);
  } else if (i < args.intermediate && r < R) {
    scratch[at.h + i * R + r] = __float_as_uint(h);
  }
}

template <int Columns>
__device__ __forceinline__ void LoadFloats(float (&v)[Columns], const float* from) {
  if constexpr (Columns == 4) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
  } else {
    v[0] = *from;
  }
}

constexpr int kSumWarps = 16;

// Block (32 * Columns columns, row): adds up the parts, warp w parts w, w + kSumWarps, ... The blocks behind
// the last columns count the rows' kept neurons. Columns, of a lane: 4 where hidden is a multiple of 4,
// else 1.
template <class T, int R, int Columns>
__global__ void __launch_bounds__(kSumWarps * 32)
    SparseRowsSum(const GatedMlpArgs args, const RowGroup group, const int parts) {
  constexpr int kLoads = (kMaxParts + kSumWarps - 1) / kSumWarps;
  __shared__ float of_warps[kSumWarps][32 * Columns];
  const SparseRowsScratch at(sizeof(T) == 4, R, args.intermediate, args.hidden);
  const auto* scratch = static_cast<const uint32_t*>(args.scratch);
  const int r = static_cast<int>(blockIdx.y), warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  WaitForPreviousKernel();
  if (blockIdx.x == gridDim.x - 1) {
    if (args.active == nullptr) return;
    const auto* kept = reinterpret_cast<const uint4*>(scratch + at.kept);
    const uint32_t bits = 0x01010101u << r;
    int count = 0;
#pragma unroll 4
    for (int64_t tile = threadIdx.x; tile < at.tiles; tile += kSumWarps * 32) {
      const uint4 v = kept[tile];
      count += __popc(v.x & bits) + __popc(v.y & bits) + __popc(v.z & bits) + __popc(v.w & bits);
    }
    count = __reduce_add_sync(kAll, count);
    if (lane == 0) of_warps[warp][0] = __int_as_float(count);
    __syncthreads();
    if (threadIdx.x == 0) {
      for (int other = 1; other < kSumWarps; ++other) count += __float_as_int(of_warps[other][0]);
      args.active[group.first + r] = count;
    }
    return;
  }
  const int64_t first = static_cast<int64_t>(blockIdx.x) * 32 * Columns, column = first + lane * Columns;
  const auto* part_of_row = reinterpret_cast<const float*>(scratch + at.parts) + r * args.hidden + column;
  float v[kLoads][Columns] = {};
#pragma unroll
  for (int k = 0; k < kLoads; ++k) {
    const int part = warp + kSumWarps * k;
    if (part < parts && column < args.hidden) {
      LoadFloats<Columns>(v[k], part_of_row + static_cast<int64_t>(part) * R * args.hidden);
    }
  }
#pragma unroll
  for (int c = 0; c < Columns; ++c) {
#pragma unroll
    for (int k = 1; k < kLoads; ++k) v[0][c] += v[k][c];
    of_warps[warp][lane * Columns + c] = v[0][c];
  }
  // The warp alone reads these lines, and has. Llama-2-7B, 8 rows: 17 MB.
  if constexpr (Columns == 4) {
    const bool whole = reinterpret_cast<uintptr_t>(part_of_row) % 128 == 0 && lane % 8 == 0 &&
                       args.hidden % 32 == 0 && column < args.hidden;
    for (int part = warp; whole && part < parts; part += kSumWarps) {
      Discard(part_of_row + static_cast<int64_t>(part) * R * args.hidden);
    }
  }
  __syncthreads();
  const int64_t mine = first + threadIdx.x;
  if (threadIdx.x >= 32 * Columns || mine >= args.hidden) return;
  float sum = of_warps[0][threadIdx.x];
#pragma unroll
  for (int other = 1; other < kSumWarps; ++other) sum += of_warps[other][threadIdx.x];
  if (args.down_bias != nullptr) {
    sum = __fadd_rn(sum, T::ToFloat(static_cast<const T*>(args.down_bias)[mine]));
  }
  static_cast<T*>(args.y)[(group.first + r) * args.hidden + mine] = T::FromFloat(sum);
}

}  // namespace cats::cuda
