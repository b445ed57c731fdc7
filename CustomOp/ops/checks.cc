// SPDX-License-Identifier: MIT
// Checks of tensors against a schema.
#include "ops/checks.h"

#include <algorithm>
#include <limits>

namespace cats {

const char* NameOf(ElementType type) noexcept {
  switch (type) {
    case ElementType::kT:
      return "T";
    case ElementType::kF32:
      return "float";
    case ElementType::kF16:
      return "float16";
    case ElementType::kBF16:
      return "bfloat16";
    case ElementType::kF64:
      return "double";
    case ElementType::kI32:
      return "int32";
    case ElementType::kI64:
      return "int64";
    case ElementType::kBool:
      return "bool";
    case ElementType::kOther:
      break;
  }
  return "another type";
}

ElementType ElementTypeOf(DType dtype) noexcept {
  switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return ElementType::k##type;
#include "formats/formats.def"
#undef CATS_FORMAT
  }
  return ElementType::kOther;
}

const char* NameOf(Device device) noexcept { return device == Device::kCpu ? "cpu" : "cuda"; }

std::string Text(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(dims[i]);
  }
  return text + "]";
}

int64_t CheckedProduct(int64_t a, int64_t b, const char* what) {
  if (a < 0 || b < 0 || (a != 0 && b > std::numeric_limits<int64_t>::max() / a)) {
    throw OpError(std::string(what) + " is too large: " + std::to_string(a) + " * " + std::to_string(b));
  }
  return a * b;
}

int64_t ElementCount(const Tensor& tensor) {
  // With a zero dimension the count is 0 whatever the others are.
  if (std::find(tensor.dims.begin(), tensor.dims.end(), 0) != tensor.dims.end()) return 0;
  int64_t count = 1;
  for (int64_t dim : tensor.dims) count = CheckedProduct(count, dim, tensor.name);
  return count;
}

Tensor CheckedInput(const OpDefinition& op, DType dtype, OpContext& context, size_t index) {
  const Parameter& parameter = op.inputs[index];
  Tensor tensor = context.Input(index);
  tensor.name = parameter.name;
  if (!tensor.present) {
    if (parameter.optional) return tensor;
    throw OpError(std::string("input '") + parameter.name + "' is missing");
  }
  const ElementType expected = parameter.type == ElementType::kT ? ElementTypeOf(dtype) : parameter.type;
  if (tensor.type != expected) {
    throw OpError(std::string("input '") + parameter.name + "' is of type " + NameOf(tensor.type) +
                  "; expected " + NameOf(expected));
  }
  for (int64_t dim : tensor.dims) {
    if (dim < 0) {
      throw OpError(std::string("input '") + parameter.name + "' has the negative dimension in shape " +
                    Text(tensor.dims));
    }
  }
  CheckedProduct(ElementCount(tensor), 16, parameter.name);
  return tensor;
}

RowsAndWidth SplitLastDim(const Tensor& tensor) {
  if (tensor.dims.empty()) {
    throw OpError(std::string("input '") + tensor.name + "' has shape []; expected at least one dimension");
  }
  RowsAndWidth result{1, tensor.dims.back()};
  const auto leading = LeadingDims(tensor);
  if (std::find(leading.begin(), leading.end(), 0) != leading.end()) {
    result.rows = 0;
  } else {
    for (int64_t dim : leading) result.rows = CheckedProduct(result.rows, dim, tensor.name);
  }
  return result;
}

void CheckDims(const Tensor& tensor, std::initializer_list<int64_t> dims, const char* meaning) {
  if (std::equal(tensor.dims.begin(), tensor.dims.end(), dims.begin(), dims.end())) return;
  throw OpError(std::string("input '") + tensor.name + "' has shape " + Text(tensor.dims) + "; expected " +
                meaning + " = " + Text(std::span<const int64_t>(dims.begin(), dims.size())));
}

bool IsPerNeuron(const Tensor& threshold, int64_t width, const char* meaning) {
  const auto dims = threshold.dims;
  if (dims.empty() || (dims.size() == 1 && dims[0] == 1 && width != 1)) return false;
  if (dims.size() == 1 && dims[0] == width) return true;
  throw OpError(std::string("input '") + threshold.name + "' has shape " + Text(dims) + "; expected [] or " +
                meaning + " = [" + std::to_string(width) + "]");
}

std::span<const int64_t> LeadingDims(const Tensor& x) { return x.dims.first(x.dims.size() - 1); }

bool IsPerRow(const Tensor& scale, const Tensor& x, int64_t rows) {
  const auto dims = scale.dims;
  if (dims.empty() || ElementCount(scale) == 1) return false;
  const auto leading = LeadingDims(x);
  if (dims.size() == 1 && dims[0] == rows) return true;
  if (std::equal(dims.begin(), dims.end(), leading.begin(), leading.end())) return true;
  if (dims.back() == 1 && std::equal(dims.begin(), dims.end() - 1, leading.begin(), leading.end()))
    return true;
  throw OpError(std::string("input '") + scale.name + "' has shape " + Text(dims) +
                "; expected [] or one value per row, " + Text(leading) + " or [" + std::to_string(rows) +
                "]");
}

}  // namespace cats
