// SPDX-License-Identifier: MIT
// Accesses to memory, barriers and registers by single instructions.
#pragma once
#include <cstdint>

namespace cats::cuda {

// ---- Words that blocks pass to each other through L2 (exchange.cuh)
// ----------------------------------------

struct alignas(16) Words {
  uint32_t x, y, z, w;
};

struct alignas(8) WordPair {
  uint32_t x, y;
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

__device__ __forceinline__ WordPair Peek(const WordPair* cell) {
  WordPair v;
  asm volatile("ld.relaxed.gpu.global.v2.b32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(cell) : "memory");
  return v;
}

__device__ __forceinline__ void Send(WordPair* cell, WordPair v) {
  asm volatile("st.relaxed.gpu.global.v2.b32 [%0], {%1, %2};" ::"l"(cell), "r"(v.x), "r"(v.y) : "memory");
}

// ---- Shared memory of a block
// ------------------------------------------------------------------------------

// The block's dynamic shared memory.
template <class Shared>
__device__ __forceinline__ Shared& DynamicShared() {
  extern __shared__ __align__(128) unsigned char shared_bytes[];
  return *reinterpret_cast<Shared*>(shared_bytes);
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

// Waits for the other threads of the block that call it, Threads in all; the rest take no part.
template <int Threads>
__device__ __forceinline__ void NamedBarrier() {
  asm volatile("bar.sync 1, %0;" ::"n"(Threads) : "memory");
}

// ---- Loads of global memory
// --------------------------------------------------------------------------------

// A load that stays where it is written, from L2: the kernel before may have written it while this one ran.
__device__ __forceinline__ uint4 LoadNow(const uint4* p) {
  uint4 v;
  asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p)
               : "memory");
  return v;
}

// Weights, which no other thread of the multiprocessor will want.
__device__ __forceinline__ uint4 LoadOnce(const uint4* p) {
  uint4 v;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
      : "l"(p));
  return v;
}

// The 128 bytes will not be read again: they need not be written to memory when they leave L2.
__device__ __forceinline__ void Discard(const void* line) {
  asm volatile("discard.global.L2 [%0], 128;" ::"l"(line) : "memory");
}

// ---- Registers: the four warps of a group take or give some, up to so many a thread
// -------------------------

template <int Count>
__device__ __forceinline__ void TakeRegisters() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Count));
#endif
}
template <int Count>
__device__ __forceinline__ void GiveRegisters() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Count));
#endif
}

}  // namespace cats::cuda
