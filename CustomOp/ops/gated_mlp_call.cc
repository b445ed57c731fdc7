// SPDX-License-Identifier: MIT
// Checks of a gated MLP's shapes, and the choice between decode and prefill kernels.
#include "ops/gated_mlp_call.h"

#include <algorithm>
#include <limits>

#include "kernels/cpu/isa.h"
#include "ops/checks.h"
#include "ops/cuda.h"

namespace cats {
namespace {

enum Input : size_t { kGate, kUp, kDown, kThreshold, kGateBias, kUpBias, kDownBias, kThresholdScale };

constexpr const char* kSilu[] = {"silu"};
constexpr const char* kOtherActivations[] = {"gelu", "gelu_tanh", "relu"};
constexpr const char* kGateSelector[] = {"gate"};
constexpr const char* kOtherSelectors[] = {"up", "product"};
constexpr const char* kNoScreen[] = {"none"};
constexpr const char* kOtherScreens[] = {"high_byte"};

#if defined(CATS_CUDA)
const void* RowOf(const void* matrix, int64_t row, int64_t width, DType dtype) {
  return static_cast<const char*>(matrix) + row * width * static_cast<int64_t>(SizeOf(dtype));
}
void* RowOf(void* matrix, int64_t row, int64_t width, DType dtype) {
  return const_cast<void*>(RowOf(static_cast<const void*>(matrix), row, width, dtype));
}

// Gate and up as products of whole matrices, decisions and h by our kernel, down as a product again; in
// chunks of rows that share one scratch.
void ComputeDenseRowsOnCuda(const cuda::DeviceLimits& device, DType dtype, const GatedMlpArgs& args,
                            OpContext& context) {
  const CudaLane lane = context.cuda_lane();
  const int64_t hidden = args.hidden, intermediate = args.intermediate;
  const int64_t chunk = cuda::DenseRowsChunk(dtype, args.rows, intermediate);
  void* g = context.Scratch(static_cast<size_t>(chunk * intermediate) * SizeOf(dtype));
  void* u = context.Scratch(static_cast<size_t>(chunk * intermediate) * SizeOf(dtype));
  for (int64_t first = 0; first < args.rows; first += chunk) {
    const int64_t rows = std::min(chunk, args.rows - first);
    const void* x = RowOf(args.x, first, hidden, dtype);
    context.Multiply({x, args.gate, args.gate_bias, g, rows, hidden, intermediate, true});
    context.Multiply({x, args.up, nullptr, u, rows, hidden, intermediate, true});
    ThrowIfCudaFailed(cuda::LaunchDenseRows(device, dtype, args, first, rows, g, u, lane.stream), "launch");
    context.Multiply({g, args.down, args.down_bias, RowOf(args.y, first, hidden, dtype), rows, intermediate,
                      hidden, false});
  }
}

// The norm by itself; then the MLP reads what it made.
void RunNormOnCuda(DType dtype, SkipRmsNormArgs norm, GatedMlpArgs* args, OpContext& context) {
  norm.y = context.Scratch(static_cast<size_t>(norm.rows * norm.hidden) * SizeOf(dtype));
  args->x = norm.y;
  ThrowIfCudaFailed(cuda::LaunchSkipRmsNorm(dtype, norm, context.cuda_lane().stream), "launch");
}
#endif

}  // namespace

constinit const std::array<StringAttribute, 3> kGatedMlpAttributes = {{
    {"activation", "silu", kSilu, kOtherActivations},
    {"selector", "gate", kGateSelector, kOtherSelectors},
    {"screen", "none", kNoScreen, kOtherScreens},
}};

GatedMlpArgs CheckedGatedMlp(const OpDefinition& op, DType dtype, OpContext& context, size_t first) {
  const auto input = [&](size_t index) { return CheckedInput(op, dtype, context, first + index); };
  const Tensor x = CheckedInput(op, dtype, context, 0), gate = input(kGate), up = input(kUp),
               down = input(kDown);
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
  return args;
}

bool InferGatedMlpShapes(ShapeContext& context, InferredShape* x) {
  if (!context.Input(0, x)) return false;
  context.Output(0, *x);
  context.Output(1, InferredShape(x->begin(), x->end() - 1));
  return true;
}

void RunGatedMlpOnCpu(DType dtype, GatedMlpArgs args, OpContext& context) {
  const int64_t rows = args.rows, hidden = args.hidden, intermediate = args.intermediate;
  if (rows == 0) return;
  const GatedMlpKernels& kernels = *GatedMlpKernelsOf(ChosenIsa().isa, dtype);
  const bool prefill = rows >= kernels.many_rows_from(hidden, intermediate);
  const GatedMlpKernel& kernel = prefill ? kernels.many_rows : kernels.few_rows;
  args.scratch = context.Scratch(kernel.scratch_bytes(rows, hidden, intermediate));
  if (!kernel.run(args, context.parallel_for())) throw OpError("the thread pool failed");
}

const char* GatedMlpIsaError() noexcept { return ChosenIsa().error; }

#if defined(CATS_CUDA)
// One or two rows by the fused kernel where there is one for their size, many as products of whole matrices.
void RunGatedMlpOnCuda(DType dtype, GatedMlpArgs args, const SkipRmsNormArgs* norm, OpContext& context) {
  if (args.rows == 0) return;
  const CudaLane lane = context.cuda_lane();
  cuda::DeviceLimits limits;
  ThrowIfCudaFailed(cuda::ReadDeviceLimits(lane.device, &limits), "reading the device's limits");
  if (args.rows >= cuda::DenseRowsFrom(dtype, args.hidden, args.intermediate) && args.hidden > 0 &&
      args.intermediate > 0 && context.has_products()) {
    if (norm != nullptr) RunNormOnCuda(dtype, *norm, &args, context);
    ComputeDenseRowsOnCuda(limits, dtype, args, context);
    return;
  }
  auto bits = reinterpret_cast<uintptr_t>(args.gate) | reinterpret_cast<uintptr_t>(args.up) |
              reinterpret_cast<uintptr_t>(args.down);
  if (norm == nullptr) {
    bits |= reinterpret_cast<uintptr_t>(args.x);
  } else {
    bits |= reinterpret_cast<uintptr_t>(norm->x) | reinterpret_cast<uintptr_t>(norm->skip) |
            reinterpret_cast<uintptr_t>(norm->weight) | reinterpret_cast<uintptr_t>(norm->sum);
  }
  const bool few = args.rows <= cuda::kMaxFusedRows;
  const cuda::SparseRowPlan plan = cuda::PlanSparseRow(limits, dtype, args.hidden, args.intermediate,
                                                       few && bits % 16 == 0, few ? args.rows : 1);
  // The size of the scratch depends on the shapes alone, also where an address rules out the fused kernel.
  size_t bytes = cuda::SparseRowsScratchBytes(dtype, args.rows, args.intermediate, args.hidden);
  if (few) {
    bytes = std::max(
        bytes,
        cuda::PlanSparseRow(limits, dtype, args.hidden, args.intermediate, true, args.rows).scratch_bytes);
  }
  args.scratch = context.Scratch(bytes);
  if (!plan.fused) {
    if (norm != nullptr) RunNormOnCuda(dtype, *norm, &args, context);
    ThrowIfCudaFailed(cuda::LaunchSparseRows(limits, dtype, args, norm != nullptr, lane.stream), "launch");
    return;
  }
  cuda::SparseRowArgs row{};
  row.x = args.x;
  if (norm != nullptr) {
    row.x = norm->x;
    row.skip = norm->skip;
    row.norm_weight = norm->weight;
    row.norm_epsilon = norm->epsilon;
    row.sum = norm->sum;
    row.skip_per_row = norm->skip_rows == norm->rows;
  }
  row.gate = args.gate;
  row.up = args.up;
  row.down = args.down;
  row.threshold = args.threshold;
  row.threshold_scale = args.threshold_scale;
  row.gate_bias = args.gate_bias;
  row.up_bias = args.up_bias;
  row.down_bias = args.down_bias;
  row.y = args.y;
  row.active = args.active;
  row.exchange = static_cast<uint32_t*>(args.scratch);
  row.hidden = args.hidden;
  row.intermediate = args.intermediate;
  row.threshold_per_neuron = args.threshold_per_neuron;
  row.scale_per_row = args.scale_per_row;
  ThrowIfCudaFailed(cuda::PrepareScratch(plan, row.exchange, lane.stream), "preparing scratch");
  // It may overlap with the filling of its scratch, which has waited for whatever makes its inputs.
  ThrowIfCudaFailed(cuda::LaunchSparseRow(plan, dtype, row, true, lane.stream), "launch");
}
#endif

}  // namespace cats
