// SPDX-License-Identifier: MIT
// CustomOp/kernels/cuda/bulk_copy.cuh for the emulator.
#pragma once
#include "emulator/emulator.h"

#define CATS_SM90

namespace cats::cuda {

inline emulator::BytesBarrier& BarrierAt(const uint64_t* barrier) {
  return emulator::current->block->barriers.at(barrier);
}

inline uint32_t SharedAddress(const void* shared) {
  return static_cast<uint32_t>(static_cast<const unsigned char*>(shared) -
                               emulator::current->block->shared.get());
}

inline void BarrierInit(uint64_t* barrier, uint32_t arrivals = 1) {
  emulator::current->block->barriers[barrier] = {static_cast<int>(arrivals), static_cast<int>(arrivals), 0,
                                                 0};
}

inline void BarrierInitFence() {}

inline void BarrierArrive(uint64_t* barrier) {
  --BarrierAt(barrier).missing;
  emulator::TurnIfComplete(BarrierAt(barrier));
}

inline void BarrierExpect(uint64_t* barrier, uint32_t bytes) {
  BarrierAt(barrier).bytes += bytes;
  BarrierArrive(barrier);
}

inline bool BarrierTest(uint64_t* barrier, uint32_t parity) {
  emulator::Yield();
  return static_cast<uint32_t>(BarrierAt(barrier).phase) != parity;
}

inline void BarrierWait(uint64_t* barrier, uint32_t parity) {
  while (!BarrierTest(barrier, parity)) {
  }
}

inline uint64_t EvictFirst() { return 0; }

inline void BulkCopy(void* shared, const void* global, uint32_t bytes, uint64_t* barrier,
                     uint64_t /*policy*/) {
  const auto at = reinterpret_cast<uintptr_t>(shared) | reinterpret_cast<uintptr_t>(global) | bytes;
  if (at % 16 != 0) throw std::runtime_error("a bulk copy is not a multiple of 16 bytes");
  emulator::copies.push_back({shared, global, bytes, emulator::current->block, barrier});
}

inline void BulkPrefetch(const void*, uint32_t) {}
inline void WaitForPreviousKernel() {}
inline void AllowNextKernel() {}

}  // namespace cats::cuda
