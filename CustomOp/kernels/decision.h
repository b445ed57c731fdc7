// SPDX-License-Identifier: MIT
// The CATS decision on float32 bit patterns: exact, the same on every device, and untouched by
// denormal-flushing modes and fast-math, because only the product scale * threshold is floating point.
#pragma once
#include "formats/portable.h"

namespace cats {

// Bits of p = scale * threshold; where p is NaN or not above 0 it counts as +0, which keeps everything.
CATS_HD uint32_t ThresholdBits(float threshold, float scale) {
#if defined(__CUDA_ARCH__)
  const uint32_t bits = BitsOf(__fmul_rn(scale, threshold));
#else
  const uint32_t bits = BitsOf(scale * threshold);
#endif
  return bits - 1u < 0x7f800000u ? bits : 0u;  // 1 .. +inf stay; +0, NaN and all negatives become 0
}

// activated: SiLU(gate) rounded once to T, as float32. True: the neuron counts (NaN always does).
CATS_HD bool IsKept(float activated, uint32_t threshold_bits) {
  return (BitsOf(activated) & 0x7fffffffu) >= threshold_bits;
}

}  // namespace cats
