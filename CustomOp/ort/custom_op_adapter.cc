// SPDX-License-Identifier: MIT
// The callbacks of an OrtCustomOp. ONNX Runtime calls them from C++ code that must not see our exceptions.
#include "ort/custom_op_adapter.h"

#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include "ops/checks.h"
#include "ort/dense_products.h"
#include "ort/kernel_context.h"

namespace cats {
namespace {

// Kernel state: const once made, so that any number of runs may use it at once.
struct Kernel {
  const CustomOp* op;
  OrtAllocator* allocator;
  int device;  // -1 for the CPU
  std::string node;
  std::unique_ptr<const DenseProducts> products;  // null: none, or not wanted
};

// A count of its own for each thread: ONNX Runtime makes a session's kernels on the thread that makes the
// session, and other threads may be making theirs.
constinit thread_local int64_t kernels_made[2] = {};

const CustomOp& Self(const OrtCustomOp* op) noexcept { return *static_cast<const CustomOp*>(op); }

// Runs `body`; what it throws becomes a status that begins with op and node.
template <class Body>
OrtStatus* Guarded(const CustomOp& op, const char* node, Body&& body) noexcept {
  const auto status = [&](OrtErrorCode code, const char* text) noexcept {
    try {
      const std::string message = std::string(op.definition->name) + " '" + node + "': " + text;
      return StatusOf(op.api, code, message.c_str());
    } catch (...) {
      return StatusOf(op.api, code, text);
    }
  };
  try {
    return body();
  } catch (const OpError& error) {
    return status(ORT_INVALID_ARGUMENT, error.what());
  } catch (const OrtFailure& failure) {
    return status(failure.code, failure.message.c_str());
  } catch (const std::bad_alloc&) {
    return status(ORT_RUNTIME_EXCEPTION, "out of memory");
  } catch (const std::exception& error) {
    return status(ORT_RUNTIME_EXCEPTION, error.what());
  } catch (...) {
    return status(ORT_RUNTIME_EXCEPTION, "unknown exception");
  }
}

std::string NodeName(const OrtApi* api, const OrtKernelInfo* info) {
  size_t size = 0;
  ThrowIfFailed(api, api->KernelInfo_GetNodeName(info, nullptr, &size));
  std::string name(size, '\0');
  ThrowIfFailed(api, api->KernelInfo_GetNodeName(info, name.data(), &size));
  name.resize(size > 0 ? size - 1 : 0);
  return name;
}

bool Succeeded(const OrtApi* api, OrtStatus* status) noexcept {
  if (status == nullptr) return true;
  api->ReleaseStatus(status);
  return false;
}

// The value of a string attribute, its default where it is absent.
std::string ReadString(const OrtApi* api, const OrtKernelInfo* info, const StringAttribute& attribute) {
  size_t size = 0;
  if (Succeeded(api, api->KernelInfoGetAttribute_string(info, attribute.name, nullptr, &size))) {
    std::string value(size, '\0');
    ThrowIfFailed(api, api->KernelInfoGetAttribute_string(info, attribute.name, value.data(), &size));
    value.resize(size > 0 ? size - 1 : 0);
    return value;
  }
  int64_t integer = 0;
  float number = 0;
  if (Succeeded(api, api->KernelInfoGetAttribute_int64(info, attribute.name, &integer)) ||
      Succeeded(api, api->KernelInfoGetAttribute_float(info, attribute.name, &number))) {
    throw OpError(std::string("attribute '") + attribute.name + "' is a number; expected a string");
  }
  return attribute.default_value;
}

std::string List(std::span<const char* const> names) {
  std::string text;
  for (const char* name : names) text += (text.empty() ? "'" : ", '") + std::string(name) + "'";
  return text;
}

bool Contains(std::span<const char* const> names, const std::string& value) {
  for (const char* name : names) {
    if (value == name) return true;
  }
  return false;
}

void CheckAttributes(const OrtApi* api, const OrtKernelInfo* info, const OpDefinition& op) {
  for (const StringAttribute& attribute : op.string_attributes) {
    const std::string value = ReadString(api, info, attribute);
    if (Contains(attribute.implemented, value)) continue;
    throw OpError(std::string("attribute '") + attribute.name + "' is '" + value +
                  (Contains(attribute.reserved, value)
                       ? "', which is reserved and not implemented in this version"
                       : "', which is not known") +
                  "; expected " + List(attribute.implemented));
  }
  for (const char* name : op.reserved_attributes) {
    int64_t integer = 0;
    float number = 0;
    size_t size = 0;
    if (Succeeded(api, api->KernelInfoGetAttribute_float(info, name, &number)) ||
        Succeeded(api, api->KernelInfoGetAttribute_int64(info, name, &integer)) ||
        Succeeded(api, api->KernelInfoGetAttribute_string(info, name, nullptr, &size))) {
      throw OpError(std::string("attribute '") + name + "' is reserved and not implemented in this version");
    }
  }
}

void ORT_API_CALL Destroy(void* op_kernel) noexcept {
  auto* kernel = static_cast<Kernel*>(op_kernel);
  if (kernel == nullptr) return;
  if (kernel->allocator != nullptr) kernel->op->api->ReleaseAllocator(kernel->allocator);
  delete kernel;
}

OrtStatus* ORT_API_CALL CreateKernel(const OrtCustomOp* op, const OrtApi*, const OrtKernelInfo* info,
                                     void** kernel) noexcept {
  const CustomOp& self = Self(op);
  *kernel = nullptr;
  std::string node;
  OrtStatus* status = Guarded(self, "", [&]() -> OrtStatus* {
    node = NodeName(self.api, info);
    return nullptr;
  });
  if (status != nullptr) return status;
  return Guarded(self, node.c_str(), [&]() -> OrtStatus* {
    if (self.kernel->unavailable != nullptr) {
      if (const char* reason = self.kernel->unavailable()) throw OpError(reason);
    }
    CheckAttributes(self.api, info, *self.definition);
    std::unique_ptr<Kernel, void(ORT_API_CALL*)(void*)> state(new Kernel{&self, nullptr, -1, node, nullptr},
                                                              Destroy);
    ThrowIfFailed(self.api, self.api->KernelInfoGetAllocator(info, OrtMemTypeDefault, &state->allocator));
    if (self.kernel->device != Device::kCpu) {
      const OrtMemoryInfo* memory = nullptr;
      ThrowIfFailed(self.api, self.api->AllocatorGetInfo(state->allocator, &memory));
      ThrowIfFailed(self.api, self.api->MemoryInfoGetId(memory, &state->device));
    }
    if (self.kernel->load != nullptr) self.kernel->load(state->device);
    if (self.kernel->wants_products) {
      state->products = DenseProducts::Make(self.api, info, self.kernel->dtype);
    }
    ++kernels_made[static_cast<int>(self.kernel->device)];
    *kernel = state.release();
    return nullptr;
  });
}

OrtStatus* ORT_API_CALL Compute(void* op_kernel, OrtKernelContext* context) noexcept {
  const auto& kernel = *static_cast<const Kernel*>(op_kernel);
  const CustomOp& self = *kernel.op;
  return Guarded(self, kernel.node.c_str(), [&]() -> OrtStatus* {
    KernelContext views(self.api, kernel.allocator, kernel.device, kernel.products.get(), context,
                        *self.definition);
    try {
      self.kernel->compute(views);
    } catch (...) {
      if (OrtStatus* pool_status = views.TakePoolStatus()) return pool_status;
      throw;
    }
    return nullptr;
  });
}

OrtStatus* ORT_API_CALL InferOutputShape(const OrtCustomOp* op, OrtShapeInferContext* context) noexcept {
  const CustomOp& self = Self(op);
  return Guarded(self, "shape inference", [&]() -> OrtStatus* {
    InferenceContext views(self.api, context, *self.definition);
    self.definition->infer_shapes(views);
    return nullptr;
  });
}

// Output 0 may take the memory of input 0. A pair of one-element arrays, freed by ReleaseInplace.
size_t ORT_API_CALL MayInplace(int** input_index, int** output_index) noexcept {
  *input_index = static_cast<int*>(std::calloc(1, sizeof(int)));
  *output_index = static_cast<int*>(std::calloc(1, sizeof(int)));
  return *input_index != nullptr && *output_index != nullptr ? 1 : 0;
}

void ORT_API_CALL ReleaseInplace(int* input_index, int* output_index) noexcept {
  std::free(input_index);
  std::free(output_index);
}

OrtCustomOpInputOutputCharacteristic CharacteristicOf(const Parameter& parameter) noexcept {
  return parameter.optional ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
}

}  // namespace

OrtStatus* StatusOf(const OrtApi* api, OrtErrorCode code, const char* message) noexcept {
  return api->CreateStatus(code, message);
}

int64_t KernelsMade(Device device) noexcept { return kernels_made[static_cast<int>(device)]; }

std::span<const char* const> ExecutionProvidersOf(Device device) noexcept {
  static constexpr const char* kCpu[] = {nullptr};
  // The provider that is built into ONNX Runtime, and the one that is a plugin.
  static constexpr const char* kCuda[] = {"CUDAExecutionProvider", "CudaPluginExecutionProvider"};
  if (device == Device::kCuda) return kCuda;
  return kCpu;
}

ONNXTensorElementDataType OnnxTypeOf(ElementType type, DType dtype) noexcept {
  switch (type == ElementType::kT ? ElementTypeOf(dtype) : type) {
#define CATS_FORMAT(type, name, onnx) \
  case ElementType::k##type:          \
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_##onnx;
#include "formats/formats.def"
#undef CATS_FORMAT
    case ElementType::kF64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
    case ElementType::kI32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case ElementType::kI64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case ElementType::kBool:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
    default:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  }
}

CustomOp MakeCustomOp(const OrtApi* api, const OpDefinition& definition, const OpKernel& kernel,
                      const char* execution_provider) noexcept {
  CustomOp op{};
  op.version = kUsedApiVersion;
  op.api = api;
  op.definition = &definition;
  op.kernel = &kernel;
  op.execution_provider = execution_provider;
  op.GetName = [](const OrtCustomOp* self) noexcept { return Self(self).definition->name; };
  op.GetExecutionProviderType = [](const OrtCustomOp* self) noexcept {
    return Self(self).execution_provider;
  };
  op.GetInputType = [](const OrtCustomOp* self, size_t index) noexcept {
    return OnnxTypeOf(Self(self).definition->inputs[index].type, Self(self).kernel->dtype);
  };
  op.GetInputTypeCount = [](const OrtCustomOp* self) noexcept {
    return Self(self).definition->inputs.size();
  };
  op.GetOutputType = [](const OrtCustomOp* self, size_t index) noexcept {
    return OnnxTypeOf(Self(self).definition->outputs[index].type, Self(self).kernel->dtype);
  };
  op.GetOutputTypeCount = [](const OrtCustomOp* self) noexcept {
    return Self(self).definition->outputs.size();
  };
  op.GetInputCharacteristic = [](const OrtCustomOp* self, size_t index) noexcept {
    return CharacteristicOf(Self(self).definition->inputs[index]);
  };
  op.GetOutputCharacteristic = [](const OrtCustomOp* self, size_t index) noexcept {
    return CharacteristicOf(Self(self).definition->outputs[index]);
  };
  op.GetInputMemoryType = [](const OrtCustomOp*, size_t) noexcept { return OrtMemTypeDefault; };
  op.GetVariadicInputMinArity = [](const OrtCustomOp*) noexcept { return 0; };
  op.GetVariadicInputHomogeneity = [](const OrtCustomOp*) noexcept { return 0; };
  op.GetVariadicOutputMinArity = [](const OrtCustomOp*) noexcept { return 0; };
  op.GetVariadicOutputHomogeneity = [](const OrtCustomOp*) noexcept { return 0; };
  op.CreateKernelV2 = CreateKernel;
  op.KernelComputeV2 = Compute;
  op.KernelDestroy = Destroy;
  op.InferOutputShapeFn = InferOutputShape;
  op.GetStartVersion = [](const OrtCustomOp* self) noexcept { return Self(self).definition->start_version; };
  op.GetEndVersion = [](const OrtCustomOp*) noexcept { return INT32_MAX; };
  if (definition.first_output_may_reuse_first_input) {
    op.GetMayInplace = MayInplace;
    op.ReleaseMayInplace = ReleaseInplace;
  }
  return op;
}

}  // namespace cats
