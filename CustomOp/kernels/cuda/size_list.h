// SPDX-License-Identifier: MIT
// A list of sizes that a kernel is compiled for, and the way from a size at run time to its kernel.
#pragma once
#include <cstdint>

#include "formats/portable.h"

namespace cats::cuda {

// Sizes that something is compiled for.
template <int... Sizes>
struct SizeList {
  static constexpr int kAll[sizeof...(Sizes)] = {Sizes...};
  CATS_HD static constexpr bool Has(int64_t size) { return ((size == Sizes) || ...); }
  // use.template operator()<Size>() for that size; false where it is not one of them.
  template <class Use>
  static bool With(int64_t size, Use&& use) {
    return ((size == Sizes && (use.template operator()<Sizes>(), true)) || ...);
  }
};

}  // namespace cats::cuda
