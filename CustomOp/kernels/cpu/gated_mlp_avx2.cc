// SPDX-License-Identifier: MIT
// The CPU kernels, compiled for one instruction set: every header they need comes before the target region.
#include <immintrin.h>

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

#define CATS_SIMD avx2
CATS_TARGET_BEGIN_AVX2
// clang-format off
#include "kernels/cpu/simd_avx2.h"
#include "kernels/cpu/dot.h"
#include "kernels/cpu/dot_kept.h"
#include "kernels/cpu/neurons.h"
#include "kernels/cpu/few_rows.h"
#include "kernels/cpu/many_rows.h"
#include "kernels/cpu/gated_mlp_simd.h"
// clang-format on
CATS_TARGET_END

namespace cats {

const GatedMlpKernels* Avx2GatedMlpKernelsOf(DType dtype) noexcept { return avx2::KernelsOf(dtype); }

}  // namespace cats
