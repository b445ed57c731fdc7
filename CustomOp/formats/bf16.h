// SPDX-License-Identifier: MIT
// bfloat16 as a stored format: the upper half of a float32. Exact both ways: NaN stays a (quiet) NaN,
// round to nearest, ties to even, by integer arithmetic only.
#pragma once
#include "formats/portable.h"

namespace cats {

struct BF16 {
  uint16_t bits;

  CATS_HD static float ToFloat(BF16 stored) { return FloatOf(static_cast<uint32_t>(stored.bits) << 16); }

  CATS_HD static BF16 FromFloat(float value) {
    const uint32_t bits = BitsOf(value);
    const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const uint32_t nan = (bits >> 16) | 0x0040u;
    return {static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded)};
  }
};

}  // namespace cats
