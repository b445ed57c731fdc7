// SPDX-License-Identifier: MIT
// Arithmetic by single instructions: conversions, products on the tensor cores. Only this file,
// device_memory.cuh and bulk_copy.cuh hold assembly; tests/Native/emulator has the three in plain C++.
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

}  // namespace cats::cuda
