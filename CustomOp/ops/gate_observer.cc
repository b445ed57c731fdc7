// SPDX-License-Identifier: MIT
// GateObserver: the calibration op. Stateless: what it counted in this call is its output, the host adds.
#include "kernels/gate_observer.h"

#include <algorithm>
#include <cstring>

#include "ops/checks.h"
#include "ops/elementwise_kernels.h"

namespace cats {
namespace {

constexpr Parameter kInputs[] = {
    {"A", ElementType::kT, false},        // [..., intermediate_size], the activated gate
    {"U", ElementType::kT, false},        // [..., intermediate_size], up
    {"weight", ElementType::kF32, true},  // [intermediate_size]
    {"mask", ElementType::kBool, true},   // [...], tokens to count
};
constexpr Parameter kOutputs[] = {
    {"Y", ElementType::kT, false},             // [..., intermediate_size], A passed through
    {"counts", ElementType::kI64, false},      // [32768]
    {"up_abs_sum", ElementType::kF64, false},  // [intermediate_size]
    {"tokens", ElementType::kI64, false},      // []
};

// Also makes the outputs; *passed is that of A.
GateObserverArgs CheckedArgs(DType dtype, OpContext& context, void** passed) {
  const auto input = [&](size_t index) { return CheckedInput(kGateObserver, dtype, context, index); };
  const Tensor a = input(0), u = input(1), weight = input(2), mask = input(3);
  const auto [rows, width] = SplitLastDim(a);
  if (!std::equal(a.dims.begin(), a.dims.end(), u.dims.begin(), u.dims.end())) {
    throw OpError("input 'U' has shape " + Text(u.dims) + "; expected that of 'A', " + Text(a.dims));
  }
  if (weight.present) CheckDims(weight, {width}, "[intermediate_size]");
  if (mask.present) {
    const auto leading = LeadingDims(a);
    if (!std::equal(mask.dims.begin(), mask.dims.end(), leading.begin(), leading.end())) {
      throw OpError("input 'mask' has shape " + Text(mask.dims) +
                    "; expected that of 'A' without its last dimension, " + Text(leading));
    }
  }
  GateObserverArgs args{};
  args.rows = rows;
  args.width = width;
  args.a = a.data;
  args.u = u.data;
  args.weight = weight.present ? static_cast<const float*>(weight.data) : nullptr;
  args.mask = mask.present ? static_cast<const uint8_t*>(mask.data) : nullptr;
  *passed = context.Output(0, a.dims);
  const int64_t counts_dims[] = {kGateBins};
  const int64_t sum_dims[] = {width};
  args.counts = static_cast<int64_t*>(context.Output(1, counts_dims));
  args.up_abs_sum = static_cast<double*>(context.Output(2, sum_dims));
  args.tokens = static_cast<int64_t*>(context.Output(3, {}));
  return args;
}

struct Kernels {
  template <DType dtype, class T>
  static void OnCpu(OpContext& context) {
    void* passed = nullptr;
    GateObserverArgs args = CheckedArgs(dtype, context, &passed);
    args.scratch = context.Scratch(GateObserverScratchBytes(args.rows, args.width));
    if (!GateObserverKernel<T>::Run(args, context.parallel_for())) throw OpError("the thread pool failed");
    const size_t bytes = static_cast<size_t>(args.rows * args.width) * sizeof(T);
    if (passed != args.a && bytes > 0) std::memcpy(passed, args.a, bytes);
  }

#if defined(CATS_CUDA)
  template <DType dtype>
  static void OnCuda(OpContext& context) {
    void* passed = nullptr;
    const GateObserverArgs args = CheckedArgs(dtype, context, &passed);
    ThrowIfCudaFailed(cuda::LaunchGateObserver(dtype, args, passed, context.cuda_lane().stream), "launch");
  }
#endif
};

void InferShapes(ShapeContext& context) {
  InferredShape shape;
  context.Output(1, {{kGateBins, ""}});
  context.Output(3, {});
  if (!context.Input(0, &shape)) return;
  context.Output(0, shape);
  context.Output(2, {shape.back()});
}

}  // namespace

constinit const OpDefinition kGateObserver = {
    "GateObserver", 1, kInputs, kOutputs, {}, {}, ElementwiseKernels<Kernels>::table, true, InferShapes};

}  // namespace cats
