// SPDX-License-Identifier: MIT
// OrtKernelContext and OrtShapeInferContext as the plain views that ops/ works on.
#include "ort/kernel_context.h"

#include <atomic>
#include <cstdint>
#include <memory>

#include "ops/checks.h"
#include "ort/custom_op_adapter.h"
#include "ort/dense_products.h"

namespace cats {
namespace {

constexpr size_t kAlignment = 64;

ElementType FromOnnx(ONNXTensorElementDataType type) noexcept {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return ElementType::kF32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return ElementType::kF16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16:
      return ElementType::kBF16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      return ElementType::kF64;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return ElementType::kI32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return ElementType::kI64;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
      return ElementType::kBool;
    default:
      return ElementType::kOther;
  }
}

}  // namespace

void ThrowIfFailed(const OrtApi* api, OrtStatus* status) {
  if (status == nullptr) return;
  OrtFailure failure{api->GetErrorCode(status), {}};
  try {
    failure.message = api->GetErrorMessage(status);
  } catch (...) {
    api->ReleaseStatus(status);
    throw;
  }
  api->ReleaseStatus(status);
  throw failure;
}

KernelContext::KernelContext(const OrtApi* api, OrtAllocator* allocator, int device,
                             const DenseProducts* products, OrtKernelContext* context, const OpDefinition& op)
    : api_(api),
      allocator_(allocator),
      device_(device),
      products_(products),
      context_(context),
      op_(op),
      parallel_for_{Run, this, 0} {
  ThrowIfFailed(api_, api_->KernelContext_GetInputCount(context_, &input_count_));
  ThrowIfFailed(api_, api_->KernelContext_GetOutputCount(context_, &output_count_));
}

KernelContext::~KernelContext() {
  for (size_t i = 0; i < scratch_count_; ++i) {
    if (OrtStatus* status = api_->AllocatorFree(allocator_, scratch_[i])) api_->ReleaseStatus(status);
  }
  if (pool_status_ != nullptr) api_->ReleaseStatus(pool_status_);
}

Tensor KernelContext::Input(size_t index) {
  Tensor tensor{op_.inputs[index].name, ElementType::kOther, {}, nullptr, false};
  if (index >= input_count_) return tensor;
  const OrtValue* value = nullptr;
  ThrowIfFailed(api_, api_->KernelContext_GetInput(context_, index, &value));
  if (value == nullptr) return tensor;
  int is_tensor = 0;
  ThrowIfFailed(api_, api_->IsTensor(value, &is_tensor));
  if (is_tensor == 0) throw OpError(std::string("input '") + tensor.name + "' is not a tensor");
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  const int64_t* dims = nullptr;
  size_t rank = 0;
  ThrowIfFailed(api_, api_->GetTensorElementTypeAndShapeDataReference(value, &type, &dims, &rank));
  ThrowIfFailed(api_, api_->GetTensorData(value, &tensor.data));
  tensor.type = FromOnnx(type);
  tensor.dims = {dims, rank};
  tensor.present = true;
  return tensor;
}

void* KernelContext::Output(size_t index, std::span<const int64_t> dims) {
  if (index >= output_count_) return nullptr;
  OrtValue* value = nullptr;
  ThrowIfFailed(api_, api_->KernelContext_GetOutput(context_, index, dims.data(), dims.size(), &value));
  if (value == nullptr) {
    if (op_.outputs[index].optional) return nullptr;
    throw OpError(std::string("output '") + op_.outputs[index].name + "' is missing");
  }
  void* data = nullptr;
  ThrowIfFailed(api_, api_->GetTensorMutableData(value, &data));
  return data;
}

void* KernelContext::Scratch(size_t bytes) {
  if (bytes == 0) return nullptr;
  if (bytes > SIZE_MAX - kAlignment) throw std::bad_alloc();
  if (scratch_count_ == scratch_.size()) throw OpError("a call asked for too many scratch buffers");
  void* memory = nullptr;
  if (device_ < 0) {
    ThrowIfFailed(api_, api_->AllocatorAlloc(allocator_, bytes + kAlignment - 1, &memory));
  } else {
    // Bound to the call's stream: freed below, it goes to another stream only when this one is done with it.
    cuda_lane();
    const OrtMemoryInfo* info = nullptr;
    ThrowIfFailed(api_, api_->AllocatorGetInfo(allocator_, &info));
    ThrowIfFailed(api_,
                  api_->KernelContext_GetScratchBuffer(context_, info, bytes + kAlignment - 1, &memory));
  }
  if (memory == nullptr) throw std::bad_alloc();
  scratch_[scratch_count_++] = memory;
  size_t space = bytes + kAlignment - 1;
  return std::align(kAlignment, bytes, memory, space);
}

CudaLane KernelContext::cuda_lane() {
  void* stream = nullptr;
  ThrowIfFailed(api_, api_->KernelContext_GetGPUComputeStream(context_, &stream));
  if (stream == nullptr) throw OpError("ONNX Runtime gave the CUDA kernel no stream");
  return {static_cast<CUstream_st*>(stream), device_};
}

void KernelContext::Multiply(const DenseProduct& product) {
  if (products_ == nullptr) throw OpError("the execution provider has no Gemm of this type");
  const OrtMemoryInfo* memory = nullptr;
  ThrowIfFailed(api_, api_->AllocatorGetInfo(allocator_, &memory));
  products_->Multiply(context_, memory, product);
}

bool KernelContext::Run(void* pool, int64_t tasks, ParallelFor::Body body, void* arg) noexcept {
  auto& self = *static_cast<KernelContext*>(pool);
  struct Call {
    ParallelFor::Body body;
    void* arg;
  } call{body, arg};
  // num_batch = 0: each task is scheduled by itself, idle threads take the next one.
  OrtStatus* status = self.api_->KernelContext_ParallelFor(
      self.context_,
      [](void* data, size_t task) {
        const auto& inner = *static_cast<const Call*>(data);
        inner.body(inner.arg, static_cast<int64_t>(task));
      },
      static_cast<size_t>(tasks), 0, &call);
  if (status == nullptr) return true;
  if (self.pool_status_ != nullptr) self.api_->ReleaseStatus(self.pool_status_);
  self.pool_status_ = status;
  return false;
}

OrtStatus* KernelContext::TakePoolStatus() noexcept {
  OrtStatus* status = pool_status_;
  pool_status_ = nullptr;
  return status;
}

OrtTensorTypeAndShapeInfo* InferenceContext::Info(size_t index) const {
  size_t count = 0;
  ThrowIfFailed(api_, api_->ShapeInferContext_GetInputCount(context_, &count));
  OrtTensorTypeAndShapeInfo* info = nullptr;
  if (index < count) ThrowIfFailed(api_, api_->ShapeInferContext_GetInputTypeShape(context_, index, &info));
  return info;
}

bool InferenceContext::Input(size_t index, InferredShape* shape) {
  OrtTensorTypeAndShapeInfo* info = Info(index);
  if (info == nullptr) return false;
  size_t rank = 0;
  ThrowIfFailed(api_, api_->GetDimensionsCount(info, &rank));
  if (rank == 0) return false;  // ONNX Runtime shows an unknown rank as 0
  std::vector<int64_t> values(rank);
  std::vector<const char*> symbols(rank, nullptr);
  ThrowIfFailed(api_, api_->GetDimensions(info, values.data(), rank));
  ThrowIfFailed(api_, api_->GetSymbolicDimensions(info, symbols.data(), rank));
  shape->clear();
  for (size_t i = 0; i < rank; ++i) {
    shape->push_back({values[i] < 0 ? -1 : values[i], symbols[i] == nullptr ? "" : symbols[i]});
  }
  return true;
}

void InferenceContext::Output(size_t index, const InferredShape& shape) {
  // ONNX Runtime merges the ops of one name and calls the inference of one of them for every dtype, so T
  // is what the first input has, which is of type T in every op.
  ONNXTensorElementDataType type = OnnxTypeOf(op_.outputs[index].type, DType::kF32);
  if (op_.outputs[index].type == ElementType::kT) {
    OrtTensorTypeAndShapeInfo* first = Info(0);
    if (first == nullptr) return;
    ThrowIfFailed(api_, api_->GetTensorElementType(first, &type));
  }
  OrtTensorTypeAndShapeInfo* info = nullptr;
  ThrowIfFailed(api_, api_->CreateTensorTypeAndShapeInfo(&info));
  const std::unique_ptr<OrtTensorTypeAndShapeInfo, void(ORT_API_CALL*)(OrtTensorTypeAndShapeInfo*)> owner(
      info, api_->ReleaseTensorTypeAndShapeInfo);
  // An unknown dimension without a name would become the number -1, which ONNX Runtime then folds into the
  // shapes computed from it ("Target shape may not have multiple -1 dimensions"), so it gets a name of its
  // own.
  static std::atomic<uint64_t> unnamed{0};
  std::vector<int64_t> values;
  std::vector<std::string> names;
  for (const InferredDim& dim : shape) {
    values.push_back(dim.value);
    names.push_back(dim.value < 0 && dim.symbol.empty() ? "cats_dim_" + std::to_string(unnamed++)
                                                        : dim.symbol);
  }
  std::vector<const char*> symbols;
  for (const std::string& name : names) symbols.push_back(name.c_str());
  ThrowIfFailed(api_, api_->SetTensorElementType(info, type));
  ThrowIfFailed(api_, api_->SetDimensions(info, values.data(), values.size()));
  ThrowIfFailed(api_, api_->SetSymbolicDimensions(info, symbols.data(), symbols.size()));
  ThrowIfFailed(api_, api_->ShapeInferContext_SetOutputTypeShape(context_, index, info));
}

}  // namespace cats
