// SPDX-License-Identifier: MIT
// IEEE binary16 as a stored format. Both directions are exact: subnormals, infinities and NaN (a NaN stays
// a NaN, quiet, its upper payload bits kept), and round to nearest, ties to even. Integer arithmetic only,
// so that rounding and denormal modes of the processor do not matter, and free of branches, so that a
// loop over it becomes vector code.
#pragma once
#include "formats/portable.h"

namespace cats {

struct F16 {
  uint16_t bits;

  CATS_HD static float ToFloat(F16 stored) {
    const uint32_t sign = static_cast<uint32_t>(stored.bits & 0x8000u) << 16;
    const uint32_t magnitude = stored.bits & 0x7fffu;
    // Normal numbers: the exponent is rebiased by 112. Infinity and NaN: by another 112.
    const uint32_t special = magnitude >= 0x7c00u ? 0x38000000u : 0u;
    const uint32_t quiet = magnitude > 0x7c00u ? 0x00400000u : 0u;
    const uint32_t normal = ((magnitude << 13) + 0x38000000u + special) | quiet;
    // Subnormal numbers are magnitude * 2^-24, and an integer below 1024 converts without rounding. The
    // product is a normal float32, so denormal modes do not touch it.
    const float scaled = static_cast<float>(static_cast<int32_t>(magnitude)) * 5.9604644775390625e-8f;
    return FloatOf(sign | (magnitude < 0x0400u ? BitsOf(scaled) : normal));
  }

  CATS_HD static F16 FromFloat(float value) {
    const uint32_t bits = BitsOf(value);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    // Normal result: rebias, add half a unit less one plus the last kept bit, cut; 65520 and above become
    // infinity by the carry into the exponent.
    const uint32_t odd = (magnitude >> 13) & 1u;
    const uint32_t rounded = (magnitude - 0x38000000u + 0x0fffu + odd) >> 13;
    const uint32_t normal = rounded < 0x7c00u ? rounded : 0x7c00u;
    // Subnormal result: the 24-bit significand shifted right by 126 - exponent, rounded the same way.
    // At shift 25 and above everything is below half of the smallest subnormal, except the tie at 2^-25.
    const uint32_t exponent = magnitude >> 23;
    const uint32_t distance = exponent < 126u ? 126u - exponent : 0u;
    const uint32_t shift = distance < 25u ? distance : 25u;
    const uint32_t significand = exponent < 101u ? 0u : (magnitude & 0x007fffffu) | 0x00800000u;
    const uint32_t half = (1u << shift) >> 1;
    const uint32_t last = (significand >> shift) & 1u;
    const uint32_t subnormal = shift == 0u ? 0u : (significand + half - 1u + last) >> shift;
    const uint32_t nan = 0x7e00u | ((magnitude >> 13) & 0x03ffu);
    uint32_t result = magnitude < 0x38800000u ? subnormal : normal;
    result = magnitude >= 0x7f800000u ? 0x7c00u : result;
    result = magnitude > 0x7f800000u ? nan : result;
    return {static_cast<uint16_t>(sign | result)};
  }
};

}  // namespace cats
