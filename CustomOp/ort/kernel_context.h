// SPDX-License-Identifier: MIT
// OrtKernelContext and OrtShapeInferContext as the plain views that ops/ works on.
#pragma once
#include <onnxruntime_c_api.h>

#include <array>
#include <string>

#include "ops/op.h"

namespace cats {

class DenseProducts;

// Thrown where ONNX Runtime returned a status; ends as a status with the same code and text.
struct OrtFailure {
  OrtErrorCode code;
  std::string message;
};
void ThrowIfFailed(const OrtApi* api, OrtStatus* status);

class KernelContext final : public OpContext {
 public:
  // device: -1 for the CPU, else the number of the CUDA device that allocator belongs to.
  // products: null where there are none.
  KernelContext(const OrtApi* api, OrtAllocator* allocator, int device, const DenseProducts* products,
                OrtKernelContext* context, const OpDefinition& op);
  ~KernelContext() override;
  KernelContext(const KernelContext&) = delete;
  KernelContext& operator=(const KernelContext&) = delete;

  Tensor Input(size_t index) override;
  void* Output(size_t index, std::span<const int64_t> dims) override;
  void* Scratch(size_t bytes) override;
  const ParallelFor& parallel_for() override { return parallel_for_; }
  CudaLane cuda_lane() override;
  bool has_products() override { return products_ != nullptr; }
  void Multiply(const DenseProduct& product) override;

  // Status of a ParallelFor that failed, or null; the caller takes it over.
  OrtStatus* TakePoolStatus() noexcept;

 private:
  static bool Run(void* pool, int64_t tasks, ParallelFor::Body body, void* arg) noexcept;

  const OrtApi* api_;
  OrtAllocator* allocator_;
  int device_;
  const DenseProducts* products_;
  OrtKernelContext* context_;
  const OpDefinition& op_;
  size_t input_count_ = 0;
  size_t output_count_ = 0;
  std::array<void*, 4> scratch_{};
  size_t scratch_count_ = 0;
  OrtStatus* pool_status_ = nullptr;
  ParallelFor parallel_for_;
};

class InferenceContext final : public ShapeContext {
 public:
  InferenceContext(const OrtApi* api, OrtShapeInferContext* context, const OpDefinition& op)
      : api_(api), context_(context), op_(op) {}
  bool Input(size_t index, InferredShape* shape) override;
  void Output(size_t index, const InferredShape& shape) override;

 private:
  OrtTensorTypeAndShapeInfo* Info(size_t index) const;  // owned by the context; null where unknown

  const OrtApi* api_;
  OrtShapeInferContext* context_;
  const OpDefinition& op_;
};

}  // namespace cats
