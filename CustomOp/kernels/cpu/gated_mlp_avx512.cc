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

#if defined(__GNUC__) && !defined(__clang__)
// https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105593: GCC 12 warns of its own _mm512_undefined_ps().
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define CATS_SIMD avx512
CATS_TARGET_BEGIN_AVX512
// clang-format off
#include "kernels/cpu/simd_avx512.h"
#include "kernels/cpu/dot.h"
#include "kernels/cpu/dot_kept.h"
#include "kernels/cpu/neurons.h"
#include "kernels/cpu/few_rows.h"
#include "kernels/cpu/many_rows.h"
#include "kernels/cpu/gated_mlp_simd.h"
// clang-format on
CATS_TARGET_END

namespace cats {

const GatedMlpKernels* Avx512GatedMlpKernelsOf(DType dtype) noexcept { return avx512::KernelsOf(dtype); }

}  // namespace cats
