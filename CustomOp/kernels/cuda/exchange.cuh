// SPDX-License-Identifier: MIT
// How the blocks of one launch pass words to each other through L2, and warps of a block through shared
// memory.
#pragma once
#include <cstdint>

namespace cats::cuda {

// A word of the exchange area is kEmpty until its one writer fills it, and its one reader empties it again.
// So data and its flag are one store, nothing is fenced, and a launch leaves the area as it found it.
constexpr uint32_t kEmpty = 0xffffffffu;

struct alignas(16) Words {
  uint32_t x, y, z, w;
};

__device__ __forceinline__ void Send(Words* cell, Words v) {
  asm volatile("st.relaxed.gpu.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(cell), "r"(v.x), "r"(v.y),
               "r"(v.z), "r"(v.w)
               : "memory");
}

__device__ __forceinline__ Words Peek(const Words* cell) {
  Words v;
  asm volatile("ld.relaxed.gpu.global.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(cell)
               : "memory");
  return v;
}

__device__ __forceinline__ void Send(uint32_t* cell, uint32_t v) {
  asm volatile("st.relaxed.gpu.global.b32 [%0], %1;" ::"l"(cell), "r"(v) : "memory");
}

__device__ __forceinline__ uint32_t Peek(const uint32_t* cell) {
  uint32_t v;
  asm volatile("ld.relaxed.gpu.global.b32 %0, [%1];" : "=r"(v) : "l"(cell) : "memory");
  return v;
}

__device__ __forceinline__ bool IsFull(const Words& v) {
  return v.x != kEmpty && v.y != kEmpty && v.z != kEmpty && v.w != kEmpty;
}

// The bits to send for a float: a NaN whose bits are those of an empty word becomes another NaN.
__device__ __forceinline__ uint32_t Sendable(float value) {
  const uint32_t bits = __float_as_uint(value);
  return bits == kEmpty ? 0x7fffffffu : bits;
}

// Orders a warp's accesses to shared memory as other warps of the block see them.
__device__ __forceinline__ void Fence() { asm volatile("fence.acq_rel.cta;" ::: "memory"); }

template <class V>
__device__ __forceinline__ V Load(const V& value) {
  return *const_cast<const volatile V*>(&value);
}

template <class V>
__device__ __forceinline__ void Store(V& place, V value) {
  *const_cast<volatile V*>(&place) = value;
}

}  // namespace cats::cuda
