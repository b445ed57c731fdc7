// SPDX-License-Identifier: MIT
// CatsThreshold and GateObserver on a CUDA device (docs/op-spec.md), with the argument structs of the CPU
// kernels, their pointers in device memory. All functions return a cudaError_t as int, 0 if all is well, and
// neither allocate nor wait.
#pragma once
#include "formats/dtype.h"
#include "kernels/cats_threshold.h"
#include "kernels/gate_observer.h"

struct CUstream_st;  // cudaStream_t points to it

namespace cats::cuda {

// Before the first capture or launch: loads the kernels of this format.
int LoadElementwise(DType dtype);

int LaunchCatsThreshold(DType dtype, const CatsThresholdArgs& args, CUstream_st* stream);

// Counts are sums of integers and each sum of |up| runs over the rows in their order: the bits of the CPU
// kernel. args.scratch is not used. passed: T [rows, width], becomes a copy of args.a; may be args.a.
int LaunchGateObserver(DType dtype, const GateObserverArgs& args, void* passed, CUstream_st* stream);

}  // namespace cats::cuda
