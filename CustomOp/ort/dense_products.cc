// SPDX-License-Identifier: MIT
// Gemm as an OrtOp. It is made for a number of inputs, so there is one with and one without a bias.
#include "ort/dense_products.h"

#include "ort/custom_op_adapter.h"
#include "ort/kernel_context.h"

namespace cats {
namespace {

constexpr int kGemmVersion = 13;  // the newest

struct AttributeDelete {
  const OrtApi* api;
  void operator()(OrtOpAttr* attribute) const noexcept { api->ReleaseOpAttr(attribute); }
};
using Attribute = std::unique_ptr<OrtOpAttr, AttributeDelete>;

struct ValueDelete {
  const OrtApi* api;
  void operator()(OrtValue* value) const noexcept { api->ReleaseValue(value); }
};
using Value = std::unique_ptr<OrtValue, ValueDelete>;

Attribute MakeAttribute(const OrtApi* api, const char* name, const void* data, OrtOpAttrType type) {
  OrtOpAttr* attribute = nullptr;
  ThrowIfFailed(api, api->CreateOpAttr(name, data, 1, type, &attribute));
  return Attribute(attribute, {api});
}

}  // namespace

std::unique_ptr<const DenseProducts> DenseProducts::Make(const OrtApi* api, const OrtKernelInfo* info,
                                                         DType dtype) {
  std::unique_ptr<DenseProducts> products(new DenseProducts(api, dtype));
  const int64_t zero = 0, one = 1;
  const float unit = 1.0f;
  const Attribute trans_a = MakeAttribute(api, "transA", &zero, ORT_OP_ATTR_INT);
  const Attribute alpha = MakeAttribute(api, "alpha", &unit, ORT_OP_ATTR_FLOAT);
  const Attribute beta = MakeAttribute(api, "beta", &unit, ORT_OP_ATTR_FLOAT);
  const char* constraint = "T";
  const ONNXTensorElementDataType type = OnnxTypeOf(ElementType::kT, dtype);
  for (int k = 0; k < 4; ++k) {
    // The defaults too: nothing fills them in outside of a graph.
    const Attribute trans_b = MakeAttribute(api, "transB", k >= 2 ? &one : &zero, ORT_OP_ATTR_INT);
    const OrtOpAttr* attributes[] = {trans_a.get(), trans_b.get(), alpha.get(), beta.get()};
    OrtStatus* status = api->CreateOp(info, "Gemm", "", kGemmVersion, &constraint, &type, 1, attributes, 4,
                                      k % 2 == 1 ? 3 : 2, 1, &products->gemm_[static_cast<size_t>(k)]);
    if (status != nullptr) {
      api->ReleaseStatus(status);
      return nullptr;
    }
  }
  return products;
}

DenseProducts::~DenseProducts() {
  for (OrtOp* op : gemm_) {
    if (op != nullptr) api_->ReleaseOp(op);
  }
}

void DenseProducts::Multiply(const OrtKernelContext* context, const OrtMemoryInfo* memory,
                             const DenseProduct& product) const {
  const auto view = [&](const void* data, std::initializer_list<int64_t> dims) {
    int64_t elements = 1;
    for (int64_t dim : dims) elements *= dim;
    OrtValue* value = nullptr;
    // An OrtValue over our memory; the inputs are only read.
    ThrowIfFailed(api_, api_->CreateTensorWithDataAsOrtValue(
                            memory, const_cast<void*>(data), static_cast<size_t>(elements) * SizeOf(dtype_),
                            dims.begin(), dims.size(), OnnxTypeOf(ElementType::kT, dtype_), &value));
    return Value(value, {api_});
  };
  const Value a = view(product.a, {product.rows, product.depth});
  const Value b = product.b_transposed ? view(product.b, {product.columns, product.depth})
                                       : view(product.b, {product.depth, product.columns});
  const Value c = view(product.c, {product.rows, product.columns});
  Value bias(nullptr, {api_});
  if (product.bias != nullptr) bias = view(product.bias, {product.columns});
  const OrtValue* inputs[] = {a.get(), b.get(), bias.get()};
  OrtValue* outputs[] = {c.get()};
  const size_t which = (product.b_transposed ? 2u : 0u) + (bias != nullptr ? 1u : 0u);
  ThrowIfFailed(api_, api_->InvokeOp(context, gemm_[which], inputs, bias != nullptr ? 3 : 2, outputs, 1));
}

}  // namespace cats
