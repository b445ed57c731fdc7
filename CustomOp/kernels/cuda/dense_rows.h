// SPDX-License-Identifier: MIT
// Many rows of SparseGatedMlp on a CUDA device: between the products of whole matrices, which the runtime
// offers (ops/op.h), the decisions and h.
#pragma once
#include <cstdint>

#include "formats/dtype.h"
#include "kernels/cuda/device_limits.h"
#include "kernels/gated_mlp.h"

struct CUstream_st;  // cudaStream_t points to it

namespace cats::cuda {

// Both return a cudaError_t as int, 0 if all is well. Nothing in them allocates or waits.

// Before the first capture or launch: loads the kernels of this format.
int LoadDenseRows(DType dtype);

// Of rows first to first + count of args: g becomes h, args.active is written. args.x, weights and y are not
// looked at.
int LaunchDenseRows(const DeviceLimits& device, DType dtype, const GatedMlpArgs& args, int64_t first,
                    int64_t count,
                    void* g,        // T [count, intermediate]: x . gate + gate_bias, becomes h
                    const void* u,  // T [count, intermediate]: x . up
                    CUstream_st* stream);

}  // namespace cats::cuda
