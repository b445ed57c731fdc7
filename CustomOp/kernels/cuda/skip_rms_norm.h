// SPDX-License-Identifier: MIT
// The residual addition and RMS norm in front of an MLP, on a CUDA device, as a kernel by itself: where the
// fused kernel for one row does not do it. Both give the same bits.
#pragma once
#include "formats/dtype.h"
#include "kernels/skip_rms_norm.h"

struct CUstream_st;  // cudaStream_t points to it

namespace cats::cuda {

// Both return a cudaError_t as int, 0 if all is well. Nothing in them allocates or waits.

// Before the first capture or launch: loads the kernels of this format.
int LoadSkipRmsNorm(DType dtype);

// Device pointers, aligned to sizeof(T); no output overlaps an input.
int LaunchSkipRmsNorm(DType dtype, const SkipRmsNormArgs& args, CUstream_st* stream);

}  // namespace cats::cuda
