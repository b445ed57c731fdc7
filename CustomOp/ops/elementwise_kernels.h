// SPDX-License-Identifier: MIT
// The kernel table of the ops that work element by element: one kernel for each stored format and device.
#pragma once
#include "ops/cuda.h"
#include "ops/op.h"

namespace cats {

// Op gives OnCpu<dtype, T>(OpContext&) and, with CATS_CUDA, OnCuda<dtype>(OpContext&).
template <class Op>
struct ElementwiseKernels {
  static constexpr OpKernel table[] = {
#define CATS_FORMAT(type, name, onnx) \
  {Device::kCpu, DType::k##type, Op::template OnCpu<DType::k##type, type>, nullptr, nullptr},
#include "formats/formats.def"
#undef CATS_FORMAT
#if defined(CATS_CUDA)
#define CATS_FORMAT(type, name, onnx)                                           \
  {Device::kCuda, DType::k##type, Op::template OnCuda<DType::k##type>, nullptr, \
   LoadOnCuda<DType::k##type, cuda::LoadElementwiseOps>},
#include "formats/formats.def"
#undef CATS_FORMAT
#endif
  };
};

}  // namespace cats
