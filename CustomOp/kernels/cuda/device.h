// SPDX-License-Identifier: MIT
// Loading of the kernels of an op on a device, and names of CUDA's errors.
#pragma once
#include "formats/dtype.h"

namespace cats::cuda {

const char* NameOf(int error) noexcept;  // of a cudaError_t: "cudaErrorInvalidValue"

// All kernels that the op may launch for this format, of every size: so none is loaded in a call or a
// capture. Both return a cudaError_t, 0 if all is well, and leave the thread's current device as it was.
int LoadSparseGatedMlp(DType dtype, int device);
int LoadElementwiseOps(DType dtype, int device);

}  // namespace cats::cuda
