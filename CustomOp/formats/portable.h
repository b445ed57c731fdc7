// SPDX-License-Identifier: MIT
// CATS_HD marks a function that the host and, under nvcc, the device compile; bit casts for both.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define CATS_HD __host__ __device__ __forceinline__
#else
#define CATS_HD inline
#endif

namespace cats {

CATS_HD uint32_t BitsOf(float value) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(value);
#else
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
#endif
}

CATS_HD float FloatOf(uint32_t bits) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(bits);
#else
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
#endif
}

}  // namespace cats
