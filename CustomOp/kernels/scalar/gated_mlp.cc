// SPDX-License-Identifier: MIT
// Tasks: first one per block of neurons and row (gate, decision, up), then one per block of output columns.
#include "kernels/scalar/gated_mlp.h"

#include <algorithm>

#include "kernels/decision.h"
#include "kernels/silu.h"

namespace cats {
namespace {

constexpr int64_t kNeuronsPerTask = 64;
constexpr int64_t kColumnsPerTask = 256;

constexpr int64_t TasksOf(int64_t size, int64_t block) { return (size + block - 1) / block; }

template <class T>
float Dot(const T* a /* [size] */, const T* b /* [size] */, int64_t size) {
  // Sixteen sums side by side, which the compiler keeps in vector registers, added pairwise at the end.
  constexpr int64_t kLanes = 16;
  float sums[kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= size; j += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane)
      sums[lane] += T::ToFloat(a[j + lane]) * T::ToFloat(b[j + lane]);
  }
  for (int64_t lane = 0; j + lane < size; ++lane)
    sums[lane] += T::ToFloat(a[j + lane]) * T::ToFloat(b[j + lane]);
  for (int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (int64_t lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
  }
  return sums[0];
}

// Scratch: h [rows, intermediate] float, then kept [rows, intermediate] bytes.
template <class T>
struct Call {
  const GatedMlpArgs& args;
  float* h;       // [rows, intermediate]
  uint8_t* kept;  // [rows, intermediate]

  void Neurons(int64_t task) const {
    const int64_t blocks = TasksOf(args.intermediate, kNeuronsPerTask);
    const int64_t row = task / blocks;
    const int64_t first = task % blocks * kNeuronsPerTask;
    const int64_t last = std::min(first + kNeuronsPerTask, args.intermediate);
    const T* x = static_cast<const T*>(args.x) + row * args.hidden;
    const auto* gate = static_cast<const T*>(args.gate);
    const auto* up = static_cast<const T*>(args.up);
    const auto* gate_bias = static_cast<const T*>(args.gate_bias);
    const auto* up_bias = static_cast<const T*>(args.up_bias);
    const float scale =
        args.threshold_scale == nullptr ? 1.0f : args.threshold_scale[args.scale_per_row ? row : 0];
    for (int64_t i = first; i < last; ++i) {
      float g = Dot(x, gate + i * args.hidden, args.hidden);
      if (gate_bias != nullptr) g += T::ToFloat(gate_bias[i]);
      g = T::ToFloat(T::FromFloat(g));
      const float a = T::ToFloat(T::FromFloat(Silu(g)));
      const float threshold = args.threshold[args.threshold_per_neuron ? i : 0];
      const bool keep = IsKept(a, ThresholdBits(threshold, scale));
      float value = 0.0f;
      if (keep) {
        value = Dot(x, up + i * args.hidden, args.hidden);
        if (up_bias != nullptr) value += T::ToFloat(up_bias[i]);
        value *= a;
      }
      h[row * args.intermediate + i] = value;
      kept[row * args.intermediate + i] = keep ? 1 : 0;
    }
  }

  void Columns(int64_t task) const {
    const int64_t blocks = TasksOf(args.hidden, kColumnsPerTask);
    const int64_t row = task / blocks;
    const int64_t first = task % blocks * kColumnsPerTask;
    const int64_t size = std::min(kColumnsPerTask, args.hidden - first);
    const T* down = static_cast<const T*>(args.down) + first;
    float sums[kColumnsPerTask] = {};
    for (int64_t i = 0; i < args.intermediate; ++i) {
      if (kept[row * args.intermediate + i] == 0) continue;
      const float value = h[row * args.intermediate + i];
      const T* weights = down + i * args.hidden;  // [size]
      for (int64_t j = 0; j < size; ++j) sums[j] += value * T::ToFloat(weights[j]);
    }
    T* y = static_cast<T*>(args.y) + row * args.hidden + first;
    const auto* bias = static_cast<const T*>(args.down_bias);
    for (int64_t j = 0; j < size; ++j) {
      y[j] = T::FromFloat(bias == nullptr ? sums[j] : sums[j] + T::ToFloat(bias[first + j]));
    }
  }
};

size_t ScratchBytes(int64_t rows, int64_t, int64_t intermediate) noexcept {
  return static_cast<size_t>(std::min<int64_t>(rows, 512) * intermediate) * (sizeof(float) + 1);
}

template <class T>
bool RunRows(const GatedMlpArgs& args, const ParallelFor& parallel_for) noexcept {
  auto* h = static_cast<float*>(args.scratch);
  auto* kept = reinterpret_cast<uint8_t*>(h + args.rows * args.intermediate);
  Call<T> call{args, h, kept};
  const int64_t neuron_tasks = args.rows * TasksOf(args.intermediate, kNeuronsPerTask);
  const int64_t column_tasks = args.rows * TasksOf(args.hidden, kColumnsPerTask);
  if (neuron_tasks > 0 &&
      !parallel_for(
          neuron_tasks, [](void* arg, int64_t task) { static_cast<Call<T>*>(arg)->Neurons(task); }, &call)) {
    return false;
  }
  if (args.active != nullptr) {
    for (int64_t row = 0; row < args.rows; ++row) {
      int32_t count = 0;
      for (int64_t i = 0; i < args.intermediate; ++i) count += kept[row * args.intermediate + i];
      args.active[row] = count;
    }
  }
  return column_tasks == 0 ||
         parallel_for(
             column_tasks, [](void* arg, int64_t task) { static_cast<Call<T>*>(arg)->Columns(task); }, &call);
}

// Blocks of 512 rows bound the scratch.
template <class T>
bool Run(const GatedMlpArgs& args, const ParallelFor& parallel_for) noexcept {
  for (int64_t row = 0; row < args.rows; row += 512) {
    GatedMlpArgs block = args;
    block.rows = std::min<int64_t>(512, args.rows - row);
    block.x = static_cast<const T*>(args.x) + row * args.hidden;
    block.y = static_cast<T*>(args.y) + row * args.hidden;
    if (args.active != nullptr) block.active = args.active + row;
    if (args.threshold_scale != nullptr && args.scale_per_row)
      block.threshold_scale = args.threshold_scale + row;
    if (!RunRows<T>(block, parallel_for)) return false;
  }
  return true;
}

template <class T>
constexpr GatedMlpKernels kKernels = {
    {ScratchBytes, Run<T>}, {ScratchBytes, Run<T>}, [](int64_t, int64_t) noexcept -> int64_t { return 1; }};

}  // namespace

const GatedMlpKernels* ScalarGatedMlpKernelsOf(DType dtype) noexcept {
  switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return &kKernels<type>;
#include "formats/formats.def"
#undef CATS_FORMAT
  }
  return nullptr;
}

}  // namespace cats
