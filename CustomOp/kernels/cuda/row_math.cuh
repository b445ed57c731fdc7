// SPDX-License-Identifier: MIT
// What a warp computes with a row in shared memory: its dot product with x, and its weighted addition to
// sums.
#pragma once
#include <cstdint>

#include "kernels/cuda/device_math.cuh"

namespace cats::cuda {

__device__ __forceinline__ float SumOfWarp(float v) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) v += __shfl_xor_sync(kAll, v, distance);
  return v;
}

// A warp's dot product of a row in shared memory with x, which the warp holds in the same places (ForDot).
// 16-bit formats, on the tensor cores: in each chunk of 512 bytes lane 4g + t holds 8 elements of segment g.
// The segments of the weights are the columns of B; those of x are the rows of A, their first halves rows 0
// to 7 and their second halves rows 8 to 15, as the registers lie. So the two halves' products are the traces
// of the upper half of A B and, with the weights' second halves as B, of the lower one.
template <class T>
__device__ __forceinline__ uint4 ForDot(uint4 x) {
  return sizeof(T) == 4 ? x : make_uint4(x.x, x.z, x.y, x.w);
}

// What the lanes' accumulators of a float32 row come to.
__device__ __forceinline__ float TotalOf(const float (&sum)[4][4]) {
  return SumOfWarp((sum[0][0] + sum[1][0]) + (sum[2][0] + sum[3][0]));
}

__device__ __forceinline__ void AddProducts(float (&sum)[4][4], const uint4& w, const uint4& v) {
  sum[0][0] = fmaf(__uint_as_float(w.x), __uint_as_float(v.x), sum[0][0]);
  sum[1][0] = fmaf(__uint_as_float(w.y), __uint_as_float(v.y), sum[1][0]);
  sum[2][0] = fmaf(__uint_as_float(w.z), __uint_as_float(v.z), sum[2][0]);
  sum[3][0] = fmaf(__uint_as_float(w.w), __uint_as_float(v.w), sum[3][0]);
}

// The traces in the products of 16-bit rows, even chunks' in sum[0] and sum[1], odd ones' in the others:
// segments' first halves at accumulators `first` and behind, the second halves' at `second` (0: rows 0 to 7
// of A; 2: rows 8 to 15).
__device__ __forceinline__ float TraceOf(const float (&sum)[4][4], int first, int second, int lane) {
  const int segment = lane >> 2;
  const float even = (sum[0][first] + sum[2][first]) + (sum[1][second] + sum[3][second]);
  const float odd = (sum[0][first + 1] + sum[2][first + 1]) + (sum[1][second + 1] + sum[3][second + 1]);
  return SumOfWarp((lane & 3) != (segment >> 1) ? 0.0f : (segment & 1) != 0 ? odd : even);
}

template <class T, int Chunks>
__device__ __forceinline__ float Dot(const uint4* row /* [Chunks * 32] */, const uint4 (&x)[Chunks],
                                     int lane) {
  constexpr int kAhead = Chunks < 20 ? 8 : 4;  // loads in flight: more would not fit into the registers
  float sum[4][4] = {};
#pragma unroll
  for (int begin = 0; begin < Chunks; begin += kAhead) {
    uint4 w[kAhead];
#pragma unroll
    for (int c = 0; c < kAhead; ++c) {
      if (begin + c < Chunks) w[c] = row[(begin + c) * 32 + lane];
    }
#pragma unroll
    for (int c = 0; c < kAhead; ++c) {
      if (begin + c >= Chunks) continue;
      const uint4& v = x[begin + c];
      if constexpr (sizeof(T) == 4) {
        AddProducts(sum, w[c], v);
      } else {
        MatrixFma(T{}, sum[c % 2 * 2], v, w[c].x, w[c].y);
        MatrixFma(T{}, sum[c % 2 * 2 + 1], v, w[c].z, w[c].w);
      }
    }
  }
  if constexpr (sizeof(T) == 4) {
    return TotalOf(sum);
  } else {
    return TraceOf(sum, 0, 2, lane);
  }
}

// The same of one row of weights with two rows of x, which lie in shared memory: each with the bits of Dot.
// 16-bit formats take as many products as for one: the first row's segments are rows 0 to 7 of A, the other's
// rows 8 to 15, and the two halves of the segments are products by themselves.
template <class T, int Chunks>
__device__ __forceinline__ void DotsOfTwo(const uint4* row /* [Chunks * 32] */,
                                          const unsigned char (&x)[2][Chunks * 512], int lane,
                                          float (&dot)[2]) {
  constexpr int kAhead = Chunks < 20 ? 4 : 2;  // loads in flight of each: registers
  const auto* const first = reinterpret_cast<const uint4*>(x[0]);
  const auto* const second = reinterpret_cast<const uint4*>(x[1]);
  float sum[2][4][4] = {};  // 16-bit formats: [0] alone, of both rows
#pragma unroll
  for (int begin = 0; begin < Chunks; begin += kAhead) {
    uint4 w[kAhead], v[kAhead], u[kAhead];
#pragma unroll
    for (int c = 0; c < kAhead; ++c) {
      if (begin + c >= Chunks) continue;
      w[c] = row[(begin + c) * 32 + lane];
      v[c] = first[(begin + c) * 32 + lane];
      u[c] = second[(begin + c) * 32 + lane];
    }
#pragma unroll
    for (int c = 0; c < kAhead; ++c) {
      if (begin + c >= Chunks) continue;
      if constexpr (sizeof(T) == 4) {
        AddProducts(sum[0], w[c], v[c]);
        AddProducts(sum[1], w[c], u[c]);
      } else {
        MatrixFma(T{}, sum[0][c % 2 * 2], make_uint4(v[c].x, u[c].x, v[c].y, u[c].y), w[c].x, w[c].y);
        MatrixFma(T{}, sum[0][c % 2 * 2 + 1], make_uint4(v[c].z, u[c].z, v[c].w, u[c].w), w[c].z, w[c].w);
      }
    }
  }
  if constexpr (sizeof(T) == 4) {
    dot[0] = TotalOf(sum[0]), dot[1] = TotalOf(sum[1]);
  } else {
    dot[0] = TraceOf(sum[0], 0, 0, lane), dot[1] = TraceOf(sum[0], 2, 2, lane);
  }
}

// sum += h * row, for the lane's 16 bytes of each chunk.
template <class T, int Chunks>
__device__ __forceinline__ void AddRow(float (&sum)[Chunks][16 / sizeof(T)], float h,
                                       const uint4* row /* [Chunks * 32] */, int lane) {
#pragma unroll
  for (int c = 0; c < Chunks; ++c) {
    const uint4 w = row[c * 32 + lane];
    const uint32_t words[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      if constexpr (sizeof(T) == 4) {
        sum[c][e] = fmaf(h, __uint_as_float(words[e]), sum[c][e]);
      } else {
        const float2 pair = Unpack(T{}, words[e]);
        sum[c][2 * e] = fmaf(h, pair.x, sum[c][2 * e]);
        sum[c][2 * e + 1] = fmaf(h, pair.y, sum[c][2 * e + 1]);
      }
    }
  }
}

// The same for several rows of x; a row whose h is `skipped` gets nothing, not even 0 * w.
template <class T, int Rows, int Chunks>
__device__ __forceinline__ void AddRows(float (&sum)[Rows][Chunks][16 / sizeof(T)], const uint32_t (&h)[Rows],
                                        uint32_t skipped, const uint4* row /* [Chunks * 32] */, int lane) {
  if constexpr (Rows == 1) {
    AddRow<T>(sum[0], __uint_as_float(h[0]), row, lane);
  } else {
    static_assert(Rows == 2);
    if (h[0] == skipped) {
      AddRow<T>(sum[1], __uint_as_float(h[1]), row, lane);
    } else if (h[1] == skipped) {
      AddRow<T>(sum[0], __uint_as_float(h[0]), row, lane);
    } else {
      const float first = __uint_as_float(h[0]), second = __uint_as_float(h[1]);
#pragma unroll
      for (int c = 0; c < Chunks; ++c) {
        const uint4 w = row[c * 32 + lane];
        const uint32_t words[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          if constexpr (sizeof(T) == 4) {
            sum[0][c][e] = fmaf(first, __uint_as_float(words[e]), sum[0][c][e]);
            sum[1][c][e] = fmaf(second, __uint_as_float(words[e]), sum[1][c][e]);
          } else {
            const float2 pair = Unpack(T{}, words[e]);
            sum[0][c][2 * e] = fmaf(first, pair.x, sum[0][c][2 * e]);
            sum[0][c][2 * e + 1] = fmaf(first, pair.y, sum[0][c][2 * e + 1]);
            sum[1][c][2 * e] = fmaf(second, pair.x, sum[1][c][2 * e]);
            sum[1][c][2 * e + 1] = fmaf(second, pair.y, sum[1][c][2 * e + 1]);
          }
        }
      }
    }
  }
}

}  // namespace cats::cuda
