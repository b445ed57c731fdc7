// SPDX-License-Identifier: MIT
// float32 as a stored format: loading and storing change nothing.
#pragma once
#include "formats/portable.h"

namespace cats {

struct F32 {
  float value;
  CATS_HD static float ToFloat(F32 stored) { return stored.value; }
  CATS_HD static F32 FromFloat(float value) { return {value}; }
};

}  // namespace cats
