// SPDX-License-Identifier: MIT
// What a warp computes with a row in shared memory: its dot product with x, and its weighted addition to
// sums.
#pragma once
#include <cstdint>

#include "formats/bf16.h"
#include "formats/f16.h"
#include "formats/f32.h"

namespace cats::cuda {

constexpr uint32_t kAll = 0xffffffffu;  // lanes

__device__ __forceinline__ float2 Unpack(F16, uint32_t pair) {
  float2 v;
  asm("{ .reg .b16 a, b; mov.b32 {a, b}, %2; cvt.f32.f16 %0, a; cvt.f32.f16 %1, b; }"
      : "=f"(v.x), "=f"(v.y)
      : "r"(pair));
  return v;
}

__device__ __forceinline__ float2 Unpack(BF16, uint32_t pair) {
  return {__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u)};
}

// T::ToFloat(T::FromFloat(v)) by the conversion instructions; only a NaN's bits may differ.
__device__ __forceinline__ float Rounded(F16, float v) {
  float rounded;
  asm("{ .reg .b16 h; cvt.rn.f16.f32 h, %1; cvt.f32.f16 %0, h; }" : "=f"(rounded) : "f"(v));
  return rounded;
}

__device__ __forceinline__ float Rounded(BF16, float v) {
  uint16_t rounded;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded) : "f"(v));
  return __uint_as_float(static_cast<uint32_t>(rounded) << 16);
}

__device__ __forceinline__ float Rounded(F32, float v) { return v; }

// The bits of Rounded(T{}, v).
__device__ __forceinline__ uint16_t StoredBits(F16, float v) {
  uint16_t bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(v));
  return bits;
}

__device__ __forceinline__ uint16_t StoredBits(BF16, float v) {
  uint16_t bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(v));
  return bits;
}

__device__ __forceinline__ uint32_t StoredBits(F32, float v) { return __float_as_uint(v); }

// T::ToFloat by the conversion instructions.
__device__ __forceinline__ float Widened(F16 v) {
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(v.bits));
  return wide;
}
__device__ __forceinline__ float Widened(BF16 v) {
  return __uint_as_float(static_cast<uint32_t>(v.bits) << 16);
}
__device__ __forceinline__ float Widened(F32 v) { return v.value; }

// c += A (16 x 16, row-major) times B (16 x 8, column-major).
__device__ __forceinline__ void MatrixFma(F16, float (&c)[4], const uint4& a, uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}

__device__ __forceinline__ void MatrixFma(BF16, float (&c)[4], const uint4& a, uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}

// c += A (16 x 8, row-major) times B (8 x 8, column-major).
__device__ __forceinline__ void MatrixFma8(F16, float (&c)[4], uint32_t a0, uint32_t a1, uint32_t b) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5},{%6},{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(b));
}

__device__ __forceinline__ void MatrixFma8(BF16, float (&c)[4], uint32_t a0, uint32_t a1, uint32_t b) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5},{%6},{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(b));
}

// Four 8 x 8 matrices of 16-bit elements, transposed; lane l gives the shared address of row l % 8 of matrix
// l / 8. Lane 4g + t gets of each the elements (2t, g) and (2t + 1, g).
__device__ __forceinline__ void LoadTransposed(uint32_t (&w)[4], uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3])
               : "r"(row)
               : "memory");
}

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
        sum[0][0] = fmaf(__uint_as_float(w[c].x), __uint_as_float(v.x), sum[0][0]);
        sum[1][0] = fmaf(__uint_as_float(w[c].y), __uint_as_float(v.y), sum[1][0]);
        sum[2][0] = fmaf(__uint_as_float(w[c].z), __uint_as_float(v.z), sum[2][0]);
        sum[3][0] = fmaf(__uint_as_float(w[c].w), __uint_as_float(v.w), sum[3][0]);
      } else {
        MatrixFma(T{}, sum[c % 2 * 2], v, w[c].x, w[c].y);
        MatrixFma(T{}, sum[c % 2 * 2 + 1], v, w[c].z, w[c].w);
      }
    }
  }
  if constexpr (sizeof(T) == 4) {
    return SumOfWarp((sum[0][0] + sum[1][0]) + (sum[2][0] + sum[3][0]));
  } else {
    const int segment = lane >> 2;
    const float even = (sum[0][0] + sum[2][0]) + (sum[1][2] + sum[3][2]);
    const float odd = (sum[0][1] + sum[2][1]) + (sum[1][3] + sum[3][3]);
    return SumOfWarp((lane & 3) != (segment >> 1) ? 0.0f : (segment & 1) != 0 ? odd : even);
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

}  // namespace cats::cuda
