// SPDX-License-Identifier: MIT
// A row's residual addition and RMS norm by kNormThreads threads of a block, 16 bytes at a time. Which thread
// adds up what depends on the row's size alone, so that every kernel that calls this gives the same bits.
#pragma once
#include "kernels/cuda/device_memory.cuh"
#include "kernels/cuda/row_math.cuh"

namespace cats::cuda {

constexpr int kNormThreads = 128;  // the fused kernel for one row has at least so many that work on rows
constexpr int kNormWarps = kNormThreads / 32;

// T(a + b) of 16 bytes; their squares are added to `squares` one after the other.
template <class T>
__device__ __forceinline__ uint4 SumOf(const uint4& a, const uint4& b, float& squares) {
  const uint32_t wa[4] = {a.x, a.y, a.z, a.w}, wb[4] = {b.x, b.y, b.z, b.w};
  uint32_t sum[4];
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    if constexpr (sizeof(T) == 4) {
      const float v = __fadd_rn(__uint_as_float(wa[e]), __uint_as_float(wb[e]));
      squares = fmaf(v, v, squares);
      sum[e] = __float_as_uint(v);
    } else {
      const float2 va = Unpack(T{}, wa[e]), vb = Unpack(T{}, wb[e]);
      sum[e] = StoredBits(T{}, __fadd_rn(va.x, vb.x)) |
               static_cast<uint32_t>(StoredBits(T{}, __fadd_rn(va.y, vb.y))) << 16;
      const float2 v = Unpack(T{}, sum[e]);
      squares = fmaf(v.x, v.x, squares);
      squares = fmaf(v.y, v.y, squares);
    }
  }
  return {sum[0], sum[1], sum[2], sum[3]};
}

// T(v * inverse * weight) of 16 bytes.
template <class T>
__device__ __forceinline__ uint4 Normalized(const uint4& v, float inverse, const uint4& weight) {
  const uint32_t wv[4] = {v.x, v.y, v.z, v.w}, ww[4] = {weight.x, weight.y, weight.z, weight.w};
  uint32_t y[4];
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    if constexpr (sizeof(T) == 4) {
      y[e] = __float_as_uint(__fmul_rn(__fmul_rn(__uint_as_float(wv[e]), inverse), __uint_as_float(ww[e])));
    } else {
      const float2 a = Unpack(T{}, wv[e]), w = Unpack(T{}, ww[e]);
      y[e] = StoredBits(T{}, __fmul_rn(__fmul_rn(a.x, inverse), w.x)) |
             static_cast<uint32_t>(StoredBits(T{}, __fmul_rn(__fmul_rn(a.y, inverse), w.y))) << 16;
    }
  }
  return {y[0], y[1], y[2], y[3]};
}

// 1 / sqrt(mean + epsilon) from the threads' sums of squares, the same in all of them.
__device__ __forceinline__ float InverseNorm(float squares, float hidden, float epsilon,
                                             float* of_warps /* shared [kNormWarps] */) {
  squares = SumOfWarp(squares);
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = squares;
  NamedBarrier<kNormThreads>();  // the rest of the block does not take part
  float sum = of_warps[0];
#pragma unroll
  for (int w = 1; w < kNormWarps; ++w) sum = __fadd_rn(sum, of_warps[w]);
  return __frsqrt_rn(__fadd_rn(__fdiv_rn(sum, hidden), epsilon));
}

}  // namespace cats::cuda
