// SPDX-License-Identifier: MIT
// CatsThreshold on the CPU: y = x where kept, else +0. Plain loops over bit patterns, which the compiler
// turns into vector code of the baseline; memory is the limit.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/decision.h"
#include "kernels/parallel_for.h"

namespace cats {

struct CatsThresholdArgs {
  int64_t rows;
  int64_t width;                 // intermediate
  const void* x;                 // T [rows, width], the activated gate
  const float* threshold;        // [width] if threshold_per_neuron, else [1]
  const float* threshold_scale;  // [rows] if scale_per_row, else [1]; null counts as 1
  void* y;                       // T [rows, width]; may be x
  bool threshold_per_neuron;
  bool scale_per_row;
};

template <class T>
struct CatsThresholdKernel {
  static constexpr int64_t kBlock = 4096;  // elements of a row that one task takes

  static bool Run(const CatsThresholdArgs& args, const ParallelFor& parallel_for) noexcept {
    const int64_t tasks = args.rows * Blocks(args.width);
    return tasks == 0 || parallel_for(tasks, Task, const_cast<CatsThresholdArgs*>(&args));
  }

 private:
  static int64_t Blocks(int64_t width) { return (width + kBlock - 1) / kBlock; }

  static void Task(void* arg, int64_t task) {
    const auto& args = *static_cast<const CatsThresholdArgs*>(arg);
    const int64_t row = task / Blocks(args.width);
    const int64_t first = task % Blocks(args.width) * kBlock;
    const int64_t size = std::min(kBlock, args.width - first);
    const T* x = static_cast<const T*>(args.x) + row * args.width + first;
    T* y = static_cast<T*>(args.y) + row * args.width + first;
    const float scale =
        args.threshold_scale == nullptr ? 1.0f : args.threshold_scale[args.scale_per_row ? row : 0];
    if (args.threshold_per_neuron) {
      const float* threshold = args.threshold + first;
      for (int64_t i = 0; i < size; ++i) y[i] = Select(x[i], ThresholdBits(threshold[i], scale));
    } else {
      const uint32_t bits = ThresholdBits(args.threshold[0], scale);
      for (int64_t i = 0; i < size; ++i) y[i] = Select(x[i], bits);
    }
  }

  static T Select(T value, uint32_t threshold_bits) {
    return IsKept(T::ToFloat(value), threshold_bits) ? value : T{};
  }
};

}  // namespace cats
