// SPDX-License-Identifier: MIT
// What the ops' CUDA kernels share: errors as OpError, and loading before the first call. Empty without
// CATS_CUDA.
#pragma once
#if defined(CATS_CUDA)
#include <string>

#include "kernels/cuda/dense_rows.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/skip_rms_norm.h"
#include "kernels/cuda/sparse_row.h"
#include "kernels/cuda/sparse_rows.h"
#include "ops/checks.h"

namespace cats {

inline void ThrowIfCudaFailed(int error, const char* what) {
  if (error == 0) return;
  throw OpError(std::string("CUDA error in ") + what + ": " + cuda::NameOf(error));
}

// For a kernel table: loads with `device` current, and leaves the device that was.
template <DType dtype, int (*load)(DType, int)>
void LoadOnCuda(int device) {
  ThrowIfCudaFailed(load(dtype, device), "loading the kernels");
}

}  // namespace cats
#endif
