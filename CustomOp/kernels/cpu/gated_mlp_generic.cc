// SPDX-License-Identifier: MIT
// The CPU kernels, compiled for one instruction set: every header they need comes before the target region.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <thread>
#include <type_traits>

#include "formats/dtype.h"
#include "kernels/cpu/gated_mlp_kernels.h"
#include "kernels/cpu/target.h"
#include "kernels/decision.h"
#include "kernels/gated_mlp.h"
#include "kernels/silu.h"

#define CATS_SIMD generic

// clang-format off
#include "kernels/cpu/simd_generic.h"
#include "kernels/cpu/dot.h"
#include "kernels/cpu/dot_kept.h"
#include "kernels/cpu/neurons.h"
#include "kernels/cpu/few_rows.h"
#include "kernels/cpu/many_rows.h"
#include "kernels/cpu/gated_mlp_simd.h"
// clang-format on

namespace cats {

const GatedMlpKernels* GenericGatedMlpKernelsOf(DType dtype) noexcept { return generic::KernelsOf(dtype); }

}  // namespace cats
