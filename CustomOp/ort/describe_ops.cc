// SPDX-License-Identifier: MIT
// CatsVersion and CatsDescribeOps: what this build is, as JSON.
#include <onnxruntime_c_api.h>

#include <string>

#include "cats_onnx.h"
#include "kernels/cpu/isa.h"
#include "ort/custom_op_adapter.h"
#include "ort/op_list.h"

// What the build holds. CMake names the CUDA architectures: "80-real 90a-real 120".
#if defined(__x86_64__)
#define CATS_BUILT_ISAS "generic avx2 avx512"
#else
#define CATS_BUILT_ISAS "generic"
#endif
#ifndef CATS_CUDA_ARCHITECTURES
#define CATS_CUDA_ARCHITECTURES "none"
#endif

namespace cats {
namespace {

// Stands in the file as it is here, so that a package can say what it holds without running it.
[[gnu::used]] constexpr char kContents[] = "cats_onnx " CATS_VERSION " holds CPU kernels: " CATS_BUILT_ISAS
                                           "; CUDA kernels: " CATS_CUDA_ARCHITECTURES;

std::string Quoted(const char* text) {
  std::string result = "\"";
  for (; *text != '\0'; ++text) {
    if (*text == '"' || *text == '\\') result += '\\';
    result += *text;
  }
  return result + "\"";
}

template <class Range, class Describe>
std::string Array(const Range& range, Describe&& describe) {
  std::string result;
  for (const auto& item : range) result += (result.empty() ? "" : ", ") + describe(item);
  return "[" + result + "]";
}

std::string Names(std::span<const char* const> names) { return Array(names, Quoted); }

std::string BuiltIsas() {
  std::string result;
  for (Isa isa : kIsas) {
    if (GatedMlpKernelsOf(isa, DType::kF32) != nullptr)
      result += (result.empty() ? "" : ", ") + Quoted(NameOf(isa));
  }
  return "[" + result + "]";
}

std::string CudaArchitectures() {
  const std::string words = CATS_CUDA_ARCHITECTURES;
  return words == "none" ? "null" : Quoted(words.c_str());
}

std::string DescribeParameter(const Parameter& parameter) {
  return "{\"name\": " + Quoted(parameter.name) + ", \"type\": " + Quoted(NameOf(parameter.type)) +
         ", \"optional\": " + (parameter.optional ? "true" : "false") + "}";
}

std::string DescribeAttribute(const StringAttribute& attribute) {
  return "{\"name\": " + Quoted(attribute.name) +
         ", \"type\": \"string\", \"default\": " + Quoted(attribute.default_value) +
         ", \"implemented\": " + Names(attribute.implemented) +
         ", \"reserved\": " + Names(attribute.reserved) + "}";
}

std::string DescribeKernel(const OpKernel& kernel) {
  return "{\"device\": " + Quoted(NameOf(kernel.device)) +
         ", \"dtype\": " + Quoted(NameOf(ElementTypeOf(kernel.dtype))) + "}";
}

std::string DescribeOp(const OpDefinition* op) {
  return "{\"name\": " + Quoted(op->name) + ", \"since_version\": " + std::to_string(op->start_version) +
         ", \"inputs\": " + Array(op->inputs, DescribeParameter) +
         ", \"outputs\": " + Array(op->outputs, DescribeParameter) +
         ", \"attributes\": " + Array(op->string_attributes, DescribeAttribute) +
         ", \"reserved_attributes\": " + Names(op->reserved_attributes) +
         ", \"kernels\": " + Array(op->kernels, DescribeKernel) + "}";
}

std::string Describe() {
  std::string isas;
  for (Isa isa : kIsas) {
    if (IsSupported(isa)) isas += (isas.empty() ? "" : ", ") + Quoted(NameOf(isa));
  }
  const IsaChoice& choice = ChosenIsa();
  return "{\"version\": " + Quoted(CATS_VERSION) + ", \"domain\": " + Quoted(kDomain) +
         ", \"opset\": " + std::to_string(kOpsetVersion) +
         ", \"built_api\": " + std::to_string(ORT_API_VERSION) +
         ", \"floor_api\": " + std::to_string(kFloorApiVersion) + ", \"isa\": " + Quoted(NameOf(choice.isa)) +
         ", \"isa_error\": " + (choice.error == nullptr ? std::string("null") : Quoted(choice.error)) +
         ", \"isas\": [" + isas + "], \"built_isas\": " + BuiltIsas() +
         ", \"cuda_architectures\": " + CudaArchitectures() + ", \"contents\": " + Quoted(kContents) +
         ", \"ops\": " + Array(Ops(), DescribeOp) + "}";
}

}  // namespace
}  // namespace cats

extern "C" {
const char* CatsVersion(void) noexcept { return CATS_VERSION; }

int64_t CatsKernelsMade(int32_t device) noexcept {
  if (device == CATS_DEVICE_CPU) return cats::KernelsMade(cats::Device::kCpu);
  if (device == CATS_DEVICE_CUDA) return cats::KernelsMade(cats::Device::kCuda);
  return 0;
}

const char* CatsDescribeOps(void) noexcept {
  try {
    static const std::string& json = *new std::string(cats::Describe());
    return json.c_str();
  } catch (...) {
    return nullptr;
  }
}
}
