// SPDX-License-Identifier: MIT
// What CUDA's compiler gives to kernels by itself, for the emulator; emulator.h includes it.
#pragma once
#include "emulator/emulator.h"

#define threadIdx (::cats::emulator::current->thread)
#define blockIdx (::cats::emulator::current->block_index)

using std::max;
using std::min;

inline void __syncthreads() { ::cats::emulator::Wait(::cats::emulator::current->block->all, blockDim.x); }
inline void __syncwarp() {
  ::cats::emulator::Wait(::cats::emulator::current->block->warps[threadIdx.x / 32].barrier, 32);
}
inline void __nanosleep(unsigned) { ::cats::emulator::Yield(); }
template <class V>
V __shfl_sync(unsigned, V value, int from) {
  return ::cats::emulator::Gather(value)[static_cast<size_t>(from & 31)];
}
template <class V>
V __shfl_xor_sync(unsigned, V value, int mask) {
  return ::cats::emulator::Gather(value)[::cats::emulator::Lane() ^ static_cast<unsigned>(mask)];
}
template <class V>
V __shfl_up_sync(unsigned, V value, int distance) {
  const unsigned lane = ::cats::emulator::Lane(), by = static_cast<unsigned>(distance);
  return ::cats::emulator::Gather(value)[lane < by ? lane : lane - by];
}
inline unsigned __ballot_sync(unsigned, bool vote) {
  const auto votes = ::cats::emulator::Gather(vote);
  unsigned bits = 0;
  for (unsigned lane = 0; lane < 32; ++lane) bits |= votes[lane] ? 1u << lane : 0u;
  return bits;
}
inline bool __all_sync(unsigned, bool vote) { return __ballot_sync(0, vote) == 0xffffffffu; }
inline bool __any_sync(unsigned, bool vote) { return __ballot_sync(0, vote) != 0; }
inline int __reduce_add_sync(unsigned, int value) {
  int sum = 0;
  for (int other : ::cats::emulator::Gather(value)) sum += other;
  return sum;
}
template <class V>
V atomicAdd(V* place, V value) {
  const V before = *place;
  *place += value;
  return before;
}
template <class V>
V atomicOr(V* place, V value) {
  const V before = *place;
  *place |= value;
  return before;
}
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(unsigned bits) { return __builtin_ffs(static_cast<int>(bits)); }
inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float __int_as_float(int bits) { return __uint_as_float(static_cast<unsigned>(bits)); }
inline int __float_as_int(float value) { return static_cast<int>(__float_as_uint(value)); }
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned select) {
  const uint64_t bytes = a | static_cast<uint64_t>(b) << 32;
  unsigned result = 0;
  for (unsigned n = 0; n < 4; ++n) {
    result |= static_cast<unsigned>(bytes >> (8 * (select >> (4 * n) & 7u)) & 0xffu) << (8 * n);
  }
  return result;
}
template <class V>
V __ldg(const V* place) {
  return *place;
}
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frsqrt_rn(float a) { return 1.0f / std::sqrt(a); }
