// SPDX-License-Identifier: MIT
// The vector kernels of each instruction set; isa.cc lists them and knows which the processor runs.
#pragma once
#include "formats/dtype.h"
#include "kernels/gated_mlp.h"

namespace cats {

const GatedMlpKernels* GenericGatedMlpKernelsOf(DType dtype) noexcept;
const GatedMlpKernels* Avx2GatedMlpKernelsOf(DType dtype) noexcept;
const GatedMlpKernels* Avx512GatedMlpKernelsOf(DType dtype) noexcept;

}  // namespace cats
