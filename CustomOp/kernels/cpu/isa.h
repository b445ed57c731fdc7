// SPDX-License-Identifier: MIT
// Which instruction set the CPU kernels use, chosen once per process by cpuid, and the kernels of each.
#pragma once
#include <string>

#include "formats/dtype.h"
#include "kernels/gated_mlp.h"

namespace cats {

// kGeneric: what every x86-64 (or other) processor has. kAvx2: AVX2, FMA and F16C. kAvx512: kAvx2 and
// AVX-512 F, BW, DQ, VL. An ISA above includes those below.
enum class Isa : int32_t { kGeneric, kAvx2, kAvx512 };
constexpr Isa kIsas[] = {Isa::kGeneric, Isa::kAvx2, Isa::kAvx512};

const char* NameOf(Isa isa) noexcept;  // "generic", "avx2", "avx512"

// True if this processor and its operating system run the ISA and this build contains its kernels.
bool IsSupported(Isa isa) noexcept;

struct IsaChoice {
  Isa isa;
  const char* error;  // null, or why CATS_FORCE_ISA cannot be followed (then no kernel may be created)
};

// The best supported ISA, or the one that the environment variable CATS_FORCE_ISA names: an unknown or
// unsupported name is an error. The variable is read at the first call.
const IsaChoice& ChosenIsa() noexcept;

// What ChosenIsa does with a given value of CATS_FORCE_ISA (null or empty: not set); error is written to
// message where it does not fit.
bool ChooseIsa(const char* forced, Isa* isa, std::string* message);

// Kernels of an ISA and dtype. Never null for a supported ISA. Their speed differs, their decisions only
// where the float32 sums of g do.
const GatedMlpKernels* GatedMlpKernelsOf(Isa isa, DType dtype) noexcept;

}  // namespace cats
