// SPDX-License-Identifier: MIT
// The gated MLP in plain C++, no vector type: what a processor without any of the listed instruction sets
// runs, and the simplest code that keeps every promise of gated_mlp.h.
#pragma once
#include "kernels/gated_mlp.h"

namespace cats {

// Both kernels are the same one; always available.
const GatedMlpKernels* ScalarGatedMlpKernelsOf(DType dtype) noexcept;

}  // namespace cats
