// SPDX-License-Identifier: MIT
// How the blocks of a cluster reach each other's shared memory (sm_90).
#pragma once
#include <cstdint>

#include "kernels/cuda/bulk_copy.cuh"

namespace cats::cuda {

// The address of another block's copy of a variable in shared memory.
__device__ __forceinline__ uint32_t AtPeer(const void* shared, int rank) {
  uint32_t address;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;"
               : "=r"(address)
               : "r"(SharedAddress(shared)), "r"(rank));
  return address;
}

// Writes 16 bytes at a peer; the peer's barrier counts them as arrived bytes.
__device__ __forceinline__ void SendToPeer(uint32_t to, uint32_t barrier, float4 v) {
  asm volatile(
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(to),
      "f"(v.x), "f"(v.y), "f"(v.z), "f"(v.w), "r"(barrier)
      : "memory");
}

__device__ __forceinline__ void ArriveAtPeer(uint32_t barrier) {
  asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(barrier) : "memory");
}

// For a barrier of this block at which peers arrive.
__device__ __forceinline__ void WaitForPeers(uint64_t* barrier, uint32_t parity) {
  uint32_t done = 0;
  while (done == 0) {
    asm volatile(
        "{ .reg .pred p; mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2; selp.u32 %0, "
        "1, 0, p; }"
        : "=r"(done)
        : "r"(SharedAddress(barrier)), "r"(parity)
        : "memory");
  }
}

// Each thread of the cluster arrives once; who waits goes on when all of them have.
__device__ __forceinline__ void ArriveAtCluster() {
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}
__device__ __forceinline__ void WaitForCluster() {
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

}  // namespace cats::cuda
