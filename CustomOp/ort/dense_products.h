// SPDX-License-Identifier: MIT
// Products of whole matrices by ONNX Runtime's own Gemm of the kernel's execution provider, called through
// its operator-invoke API: on CUDA that is cuBLAS on the call's stream, and this library links none.
#pragma once
#include <onnxruntime_c_api.h>

#include <array>
#include <memory>

#include "ops/op.h"

namespace cats {

class DenseProducts {
 public:
  // Made with the kernel, released with it; const, so any number of calls may use it. Null where the
  // provider has no such operator.
  static std::unique_ptr<const DenseProducts> Make(const OrtApi* api, const OrtKernelInfo* info, DType dtype);
  ~DenseProducts();
  DenseProducts(const DenseProducts&) = delete;
  DenseProducts& operator=(const DenseProducts&) = delete;

  // memory: where the product's arrays lie.
  void Multiply(const OrtKernelContext* context, const OrtMemoryInfo* memory,
                const DenseProduct& product) const;

 private:
  DenseProducts(const OrtApi* api, DType dtype) : api_(api), dtype_(dtype) {}

  const OrtApi* api_;
  DType dtype_;
  std::array<OrtOp*, 4> gemm_{};  // 2 * b_transposed + with bias
};

}  // namespace cats
