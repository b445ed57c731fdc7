// SPDX-License-Identifier: MIT
// How the blocks of one launch pass words to each other through L2, and warps of a block through shared
// memory.
#pragma once
#include "kernels/cuda/device_memory.cuh"

namespace cats::cuda {

// A word of the exchange area is kEmpty until its one writer fills it, and its one reader empties it again.
// So data and its flag are one store, nothing is fenced, and a launch leaves the area as it found it.
constexpr uint32_t kEmpty = 0xffffffffu;
constexpr uint32_t kSkipped = 0xfffffffeu;  // in place of an h: this row of X does not keep the neuron

__device__ __forceinline__ bool IsFull(const Words& v) {
  return v.x != kEmpty && v.y != kEmpty && v.z != kEmpty && v.w != kEmpty;
}

__device__ __forceinline__ bool IsFull(uint32_t v) { return v != kEmpty; }

__device__ __forceinline__ bool IsFull(const WordPair& v) { return v.x != kEmpty && v.y != kEmpty; }

// The bits to send for a float: a NaN whose bits are those of an empty word, or of kSkipped, becomes another.
__device__ __forceinline__ uint32_t Sendable(float value) {
  const uint32_t bits = __float_as_uint(value);
  return bits >= kSkipped ? 0x7fffffffu : bits;
}

}  // namespace cats::cuda
