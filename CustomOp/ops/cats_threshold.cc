// SPDX-License-Identifier: MIT
// CatsThreshold: the activation of CATS by itself, between SiLU and the product with up.
#include "kernels/cats_threshold.h"

#include "ops/checks.h"
#include "ops/elementwise_kernels.h"

namespace cats {
namespace {

constexpr Parameter kInputs[] = {
    {"X", ElementType::kT, false},                 // [..., intermediate_size], the activated gate
    {"threshold", ElementType::kF32, false},       // [] or [intermediate_size]
    {"threshold_scale", ElementType::kF32, true},  // [] or one per row
};
constexpr Parameter kOutputs[] = {{"Y", ElementType::kT, false}};  // [..., intermediate_size]

CatsThresholdArgs CheckedArgs(DType dtype, OpContext& context) {
  const Tensor x = CheckedInput(kCatsThreshold, dtype, context, 0);
  const Tensor threshold = CheckedInput(kCatsThreshold, dtype, context, 1);
  const Tensor scale = CheckedInput(kCatsThreshold, dtype, context, 2);
  const auto [rows, width] = SplitLastDim(x);
  CatsThresholdArgs args{};
  args.rows = rows;
  args.width = width;
  args.x = x.data;
  args.threshold = static_cast<const float*>(threshold.data);
  args.threshold_per_neuron = IsPerNeuron(threshold, width, "[intermediate_size]");
  if (scale.present) {
    args.scale_per_row = IsPerRow(scale, x, rows);
    args.threshold_scale = static_cast<const float*>(scale.data);
  }
  args.y = context.Output(0, x.dims);
  return args;
}

struct Kernels {
  template <DType dtype, class T>
  static void OnCpu(OpContext& context) {
    const CatsThresholdArgs args = CheckedArgs(dtype, context);
    if (!CatsThresholdKernel<T>::Run(args, context.parallel_for())) throw OpError("the thread pool failed");
  }

#if defined(CATS_CUDA)
  template <DType dtype>
  static void OnCuda(OpContext& context) {
    const CatsThresholdArgs args = CheckedArgs(dtype, context);
    ThrowIfCudaFailed(cuda::LaunchCatsThreshold(dtype, args, context.cuda_lane().stream), "launch");
  }
#endif
};

void InferShapes(ShapeContext& context) {
  InferredShape shape;
  if (context.Input(0, &shape)) context.Output(0, shape);
}

}  // namespace

constinit const OpDefinition kCatsThreshold = {
    "CatsThreshold", 1, kInputs, kOutputs, {}, {}, ElementwiseKernels<Kernels>::table, true, InferShapes};

}  // namespace cats
