// SPDX-License-Identifier: MIT
// The tolerance table of docs/op-spec.md: max |Y - Y_double| / max |Y_double| with equal masks, K <= 16384.
#pragma once
#include "formats/dtype.h"

namespace cats::test {

constexpr double ToleranceOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 1e-5;
    case DType::kF16:
      return 2e-3;
    case DType::kBF16:
      return 1.6e-2;
  }
  return 0.0;
}

}  // namespace cats::test
