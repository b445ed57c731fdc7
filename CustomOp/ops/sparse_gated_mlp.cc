// SPDX-License-Identifier: MIT
// SparseGatedMlp: schema and kernel table.
#include "ops/cuda.h"
#include "ops/gated_mlp_call.h"
#include "ops/op.h"

namespace cats {
namespace {

constexpr Parameter kX[] = {{"X", ElementType::kT, false}};  // [..., hidden_size]
constexpr auto kInputs = WithGatedMlpInputs(kX);
constexpr Parameter kOutputs[] = {
    {"Y", ElementType::kT, false},       // [..., hidden_size]
    {"active", ElementType::kI32, true}  // [...]
};

struct Kernels {
  template <DType dtype, class>
  static void OnCpu(OpContext& context) {
    RunGatedMlpOnCpu(dtype, CheckedGatedMlp(kSparseGatedMlp, dtype, context, std::size(kX)), context);
  }

#if defined(CATS_CUDA)
  template <DType dtype>
  static void OnCuda(OpContext& context) {
    RunGatedMlpOnCuda(dtype, CheckedGatedMlp(kSparseGatedMlp, dtype, context, std::size(kX)), nullptr,
                      context);
  }
#endif
};

void InferShapes(ShapeContext& context) {
  InferredShape x;
  InferGatedMlpShapes(context, &x);
}

}  // namespace

constinit const OpDefinition kSparseGatedMlp = {"SparseGatedMlp",
                                                1,
                                                kInputs,
                                                kOutputs,
                                                kGatedMlpAttributes,
                                                kReservedGatedMlpAttributes,
                                                GatedMlpTable<Kernels>::table,
                                                false,
                                                InferShapes};

}  // namespace cats
