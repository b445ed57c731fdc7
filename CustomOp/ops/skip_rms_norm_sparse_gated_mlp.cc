// SPDX-License-Identifier: MIT
// SkipRMSNormSparseGatedMlp: the residual addition and RMS norm in front of a sparse MLP, and the MLP. On a
// GPU one row of both is one kernel.
#include <algorithm>
#include <iterator>

#include "ops/checks.h"
#include "ops/cuda.h"
#include "ops/gated_mlp_call.h"
#include "ops/op.h"

namespace cats {
namespace {

enum Input : size_t { kX, kSkip, kNormWeight, kNormEpsilon };
constexpr Parameter kOwnInputs[] = {
    {"X", ElementType::kT, false},              // [..., hidden_size]
    {"skip", ElementType::kT, false},           // as X, or without its first dimension, or with 1 there
    {"norm_weight", ElementType::kT, false},    // [hidden_size]
    {"norm_epsilon", ElementType::kF32, false}  // []
};
constexpr auto kInputs = WithGatedMlpInputs(kOwnInputs);
constexpr Parameter kOutputs[] = {
    {"Y", ElementType::kT, false},        // [..., hidden_size]
    {"active", ElementType::kI32, true},  // [...]
    {"sum", ElementType::kT, true}        // [..., hidden_size], X + skip
};

// How many rows skip has: those of x, or those of one of its first dimension.
int64_t SkipRows(const Tensor& x, const Tensor& skip, int64_t rows) {
  auto expected = x.dims, found = skip.dims;
  if (std::equal(expected.begin(), expected.end(), found.begin(), found.end())) return rows;
  if (expected.size() > 1) {
    expected = expected.subspan(1);
    if (found.size() == x.dims.size() && found[0] == 1) found = found.subspan(1);
    if (std::equal(expected.begin(), expected.end(), found.begin(), found.end())) {
      return x.dims[0] == 0 ? 0 : rows / x.dims[0];
    }
  }
  throw OpError("input 'skip' has shape " + Text(skip.dims) + "; expected that of 'X', " + Text(x.dims) +
                ", or the same without or with 1 as its first dimension");
}

// Without y.
SkipRmsNormArgs CheckedNorm(DType dtype, OpContext& context) {
  const auto input = [&](size_t index) {
    return CheckedInput(kSkipRmsNormSparseGatedMlp, dtype, context, index);
  };
  const Tensor x = input(kX), skip = input(kSkip), weight = input(kNormWeight), epsilon = input(kNormEpsilon);
  const auto [rows, hidden] = SplitLastDim(x);
  CheckDims(weight, {hidden}, "[hidden_size]");
  CheckDims(epsilon, {}, "[]");
  SkipRmsNormArgs norm{};
  norm.rows = rows;
  norm.hidden = hidden;
  norm.skip_rows = SkipRows(x, skip, rows);
  norm.x = x.data;
  norm.skip = skip.data;
  norm.weight = weight.data;
  norm.epsilon = static_cast<const float*>(epsilon.data);
  norm.sum = context.Output(2, x.dims);
  return norm;
}

struct Kernels {
  template <DType dtype, class T>
  static void OnCpu(OpContext& context) {
    SkipRmsNormArgs norm = CheckedNorm(dtype, context);
    GatedMlpArgs args = CheckedGatedMlp(kSkipRmsNormSparseGatedMlp, dtype, context, std::size(kOwnInputs));
    norm.y = context.Scratch(static_cast<size_t>(norm.rows * norm.hidden) * sizeof(T));
    SkipRmsNorm<T>(norm);
    args.x = norm.y;
    RunGatedMlpOnCpu(dtype, args, context);
  }

#if defined(CATS_CUDA)
  template <DType dtype>
  static void OnCuda(OpContext& context) {
    const SkipRmsNormArgs norm = CheckedNorm(dtype, context);
    RunGatedMlpOnCuda(dtype,
                      CheckedGatedMlp(kSkipRmsNormSparseGatedMlp, dtype, context, std::size(kOwnInputs)),
                      &norm, context);
  }
#endif
};

void InferShapes(ShapeContext& context) {
  InferredShape x;
  if (InferGatedMlpShapes(context, &x)) context.Output(2, x);
}

}  // namespace

constinit const OpDefinition kSkipRmsNormSparseGatedMlp = {"SkipRMSNormSparseGatedMlp",
                                                           1,
                                                           kInputs,
                                                           kOutputs,
                                                           kGatedMlpAttributes,
                                                           kReservedGatedMlpAttributes,
                                                           GatedMlpTable<Kernels>::table,
                                                           false,
                                                           InferShapes};

}  // namespace cats
