// SPDX-License-Identifier: MIT
// A call of a gated MLP, as the ops that hold one share it: the inputs that are the MLP's, shape checks, and
// the choice between decode and prefill kernels.
#pragma once
#include <array>

#include "kernels/gated_mlp.h"
#include "kernels/skip_rms_norm.h"
#include "ops/cuda.h"
#include "ops/op.h"

namespace cats {

// Behind the op's own inputs, the first of which is X: T [..., hidden_size].
inline constexpr Parameter kGatedMlpInputs[] = {
    {"gate", ElementType::kT, false},              // [intermediate_size, hidden_size], neuron-major
    {"up", ElementType::kT, false},                // [intermediate_size, hidden_size], neuron-major
    {"down", ElementType::kT, false},              // [intermediate_size, hidden_size], neuron-major
    {"threshold", ElementType::kF32, false},       // [] or [intermediate_size]
    {"gate_bias", ElementType::kT, true},          // [intermediate_size]
    {"up_bias", ElementType::kT, true},            // [intermediate_size]
    {"down_bias", ElementType::kT, true},          // [hidden_size]
    {"threshold_scale", ElementType::kF32, true},  // [] or one per row
};

template <size_t Own>
constexpr auto WithGatedMlpInputs(const Parameter (&own)[Own]) {
  std::array<Parameter, Own + std::size(kGatedMlpInputs)> all{};
  for (size_t i = 0; i < all.size(); ++i) all[i] = i < Own ? own[i] : kGatedMlpInputs[i - Own];
  return all;
}

extern const std::array<StringAttribute, 3> kGatedMlpAttributes;
inline constexpr const char* kReservedGatedMlpAttributes[] = {"alpha", "limit"};

// The call of `op`, whose inputs from `first` on are those above; makes the outputs Y (0) and active (1).
GatedMlpArgs CheckedGatedMlp(const OpDefinition& op, DType dtype, OpContext& context, size_t first);

// Of the outputs Y (0) and active (1), from X (0); false where X's is not known.
bool InferGatedMlpShapes(ShapeContext& context, InferredShape* x);

// Both take scratch from the context. norm: what is done to its x first, into its y; it has no y yet, and
// args.x is not looked at. Null: nothing, args.x is the MLP's input.
void RunGatedMlpOnCpu(DType dtype, GatedMlpArgs args, OpContext& context);
#if defined(CATS_CUDA)
void RunGatedMlpOnCuda(DType dtype, GatedMlpArgs args, const SkipRmsNormArgs* norm, OpContext& context);
#endif

// Why there is no CPU kernel of a gated MLP, or null.
const char* GatedMlpIsaError() noexcept;

// The kernel table: Op gives OnCpu<dtype, T>(OpContext&) and, with CATS_CUDA, OnCuda<dtype>(OpContext&).
template <class Op>
struct GatedMlpTable {
  static constexpr OpKernel table[] = {
#define CATS_FORMAT(type, name, onnx) \
  {Device::kCpu, DType::k##type, Op::template OnCpu<DType::k##type, type>, GatedMlpIsaError, nullptr},
#include "formats/formats.def"
#undef CATS_FORMAT
#if defined(CATS_CUDA)
#define CATS_FORMAT(type, name, onnx)                    \
  {Device::kCuda,                                        \
   DType::k##type,                                       \
   Op::template OnCuda<DType::k##type>,                  \
   nullptr,                                              \
   LoadOnCuda<DType::k##type, cuda::LoadSparseGatedMlp>, \
   true},
#include "formats/formats.def"
#undef CATS_FORMAT
#endif
  };
};

}  // namespace cats
