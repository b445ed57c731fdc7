// SPDX-License-Identifier: MIT
// Turns an OpDefinition and one line of its kernel table into an OrtCustomOp. Every callback is noexcept and
// V2: exceptions of the ops become OrtStatus with op and node in front. Execution-provider names live here.
#pragma once
#include <onnxruntime_c_api.h>

#include "ops/op.h"

namespace cats {

// The lowest API that has everything this library calls (GetTensorElementTypeAndShapeDataReference: 1.24).
constexpr uint32_t kUsedApiVersion = 24;

// OrtCustomOp is the first base, so that the OrtCustomOp* that ONNX Runtime hands back is this object.
struct CustomOp : OrtCustomOp {
  const OrtApi* api;
  const OpDefinition* definition;
  const OpKernel* kernel;
  const char* execution_provider;  // null: the CPU provider
};
CustomOp MakeCustomOp(const OrtApi* api, const OpDefinition& definition, const OpKernel& kernel,
                      const char* execution_provider) noexcept;

// The providers that run kernels of this device.
std::span<const char* const> ExecutionProvidersOf(Device device) noexcept;

// How many kernels were made for this device on this thread.
int64_t KernelsMade(Device device) noexcept;

ONNXTensorElementDataType OnnxTypeOf(ElementType type, DType dtype) noexcept;

OrtStatus* StatusOf(const OrtApi* api, OrtErrorCode code, const char* message) noexcept;

}  // namespace cats
