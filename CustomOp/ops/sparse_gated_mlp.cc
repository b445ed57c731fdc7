// SPDX-License-Identifier: MIT
// SparseGatedMlp: schema, shape checks, kernel table and the choice between decode and prefill kernels.
#include <limits>

#include "kernels/cpu/isa.h"
#include "ops/checks.h"
#include "ops/op.h"

namespace cats {
namespace {

enum Input : size_t {
  kX,
  kGate,
  kUp,
  kDown,
  kThreshold,
  kGateBias,
  kUpBias,
  kDownBias,
  kThresholdScale,
};

constexpr Parameter kInputs[] = {
    {"X", ElementType::kT, false},                 // [..., hidden_size]
    {"gate", ElementType::kT, false},              // [intermediate_size, hidden_size], neuron-major
    {"up", ElementType::kT, false},                // [intermediate_size, hidden_size], neuron-major
    {"down", ElementType::kT, false},              // [intermediate_size, hidden_size], neuron-major
    {"threshold", ElementType::kF32, false},       // [] or [intermediate_size]
    {"gate_bias", ElementType::kT, true},          // [intermediate_size]
    {"up_bias", ElementType::kT, true},            // [intermediate_size]
    {"down_bias", ElementType::kT, true},          // [hidden_size]
    {"threshold_scale", ElementType::kF32, true},  // [] or one per row
};
constexpr Parameter kOutputs[] = {
    {"Y", ElementType::kT, false},       // [..., hidden_size]
    {"active", ElementType::kI32, true}  // [...]
};

constexpr const char* kSilu[] = {"silu"};
constexpr const char* kOtherActivations[] = {"gelu", "gelu_tanh", "relu"};
constexpr const char* kGateSelector[] = {"gate"};
constexpr const char* kOtherSelectors[] = {"up", "product"};
constexpr const char* kNoScreen[] = {"none"};
constexpr const char* kOtherScreens[] = {"high_byte"};
constexpr StringAttribute kAttributes[] = {
    {"activation", "silu", kSilu, kOtherActivations},
    {"selector", "gate", kGateSelector, kOtherSelectors},
    {"screen", "none", kNoScreen, kOtherScreens},
};
constexpr const char* kReservedAttributes[] = {"alpha", "limit"};

template <DType dtype>
void ComputeOnCpu(OpContext& context) {
  const auto input = [&](size_t index) { return CheckedInput(kSparseGatedMlp, dtype, context, index); };
  const Tensor x = input(kX), gate = input(kGate), up = input(kUp), down = input(kDown);
  const Tensor threshold = input(kThreshold), scale = input(kThresholdScale);
  const Tensor gate_bias = input(kGateBias), up_bias = input(kUpBias), down_bias = input(kDownBias);

  const auto [rows, hidden] = SplitLastDim(x);
  if (gate.dims.size() != 2) {
    throw OpError("input 'gate' has shape " + Text(gate.dims) +
                  "; expected [intermediate_size, hidden_size]");
  }
  const int64_t intermediate = gate.dims[0];
  constexpr const char* kMatrix = "[intermediate_size, hidden_size]";
  CheckDims(gate, {intermediate, hidden}, kMatrix);
  CheckDims(up, {intermediate, hidden}, kMatrix);
  CheckDims(down, {intermediate, hidden}, kMatrix);
  if (gate_bias.present) CheckDims(gate_bias, {intermediate}, "[intermediate_size]");
  if (up_bias.present) CheckDims(up_bias, {intermediate}, "[intermediate_size]");
  if (down_bias.present) CheckDims(down_bias, {hidden}, "[hidden_size]");
  if (intermediate > std::numeric_limits<int32_t>::max()) {
    throw OpError("input 'gate' has " + std::to_string(intermediate) +
                  " neurons; 'active' counts up to 2147483647");
  }
  CheckedProduct(CheckedProduct(rows, hidden, "rows * hidden_size"), 16, "rows * hidden_size");
  CheckedProduct(CheckedProduct(rows, intermediate, "rows * intermediate_size"), 16,
                 "rows * intermediate_size");
  CheckedProduct(CheckedProduct(hidden, intermediate, "hidden_size * intermediate_size"), 16,
                 "hidden_size * intermediate_size");

  GatedMlpArgs args{};
  args.rows = rows;
  args.hidden = hidden;
  args.intermediate = intermediate;
  args.x = x.data;
  args.gate = gate.data;
  args.up = up.data;
  args.down = down.data;
  args.threshold = static_cast<const float*>(threshold.data);
  args.threshold_per_neuron = IsPerNeuron(threshold, intermediate, "[intermediate_size]");
  if (scale.present) {
    args.scale_per_row = IsPerRow(scale, x, rows);
    args.threshold_scale = static_cast<const float*>(scale.data);
  }
  args.gate_bias = gate_bias.present ? gate_bias.data : nullptr;
  args.up_bias = up_bias.present ? up_bias.data : nullptr;
  args.down_bias = down_bias.present ? down_bias.data : nullptr;
  args.y = context.Output(0, x.dims);
  args.active = static_cast<int32_t*>(context.Output(1, LeadingDims(x)));
  if (rows == 0) return;

  const GatedMlpKernels& kernels = *GatedMlpKernelsOf(ChosenIsa().isa, dtype);
  const bool prefill = rows >= kernels.many_rows_from(hidden, intermediate);
  const GatedMlpKernel& kernel = prefill ? kernels.many_rows : kernels.few_rows;
  args.scratch = context.Scratch(kernel.scratch_bytes(rows, hidden, intermediate));
  if (!kernel.run(args, context.parallel_for())) throw OpError("the thread pool failed");
}

const char* IsaError() noexcept { return ChosenIsa().error; }

constexpr OpKernel kKernels[] = {
#define CATS_FORMAT(type, name, onnx) {Device::kCpu, DType::k##type, ComputeOnCpu<DType::k##type>, IsaError},
#include "formats/formats.def"
#undef CATS_FORMAT
};

void InferShapes(ShapeContext& context) {
  InferredShape shape;
  if (!context.Input(kX, &shape)) return;
  context.Output(0, shape);
  shape.pop_back();
  context.Output(1, shape);
}

}  // namespace

constinit const OpDefinition kSparseGatedMlp = {
    "SparseGatedMlp", 1, kInputs, kOutputs, kAttributes, kReservedAttributes, kKernels, false, InferShapes};

}  // namespace cats
