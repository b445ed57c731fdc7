// SPDX-License-Identifier: MIT
// How the blocks of one launch pass words to each other through L2, and warps of a block through shared
// memory.
#pragma once
#include <cstdint>

namespace cats::cuda {

// A word of the exchange area is kEmpty until its one writer fills it, and its one reader empties it again.
// So data and its flag are one store, nothing is fenced, and a launch leaves the area as it found it.
constexpr uint32_t kEmpty = 0xffffffffu;
constexpr uint32_t kSkipped = 0xfffffffeu;  // in place of an h: this row of X does not keep the neuron

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

__device__ __forceinline__ bool IsFull(uint32_t v) { return v != kEmpty; }

struct alignas(8) WordPair {
  uint32_t x, y;
};

__device__ __forceinline__ WordPair Peek(const WordPair* cell) {
  WordPair v;
  asm volatile("ld.relaxed.gpu.global.v2.b32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(cell) : "memory");
  return v;
}

__device__ __forceinline__ void Send(WordPair* cell, WordPair v) {
  asm volatile("st.relaxed.gpu.global.v2.b32 [%0], {%1, %2};" ::"l"(cell), "r"(v.x), "r"(v.y) : "memory");
}

__device__ __forceinline__ bool IsFull(const WordPair& v) { return v.x != kEmpty && v.y != kEmpty; }

// The bits to send for a float: a NaN whose bits are those of an empty word, or of kSkipped, becomes another.
__device__ __forceinline__ uint32_t Sendable(float value) {
  const uint32_t bits = __float_as_uint(value);
  return bits >= kSkipped ? 0x7fffffffu : bits;
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
