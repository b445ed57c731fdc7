// SPDX-License-Identifier: MIT
// GateObserver on the CPU: histogram of the gate activations by the upper 16 bits of their float32 pattern,
// and the sum of |up| per neuron. Counts are integers and each sum runs over the rows in their order, so the
// result does not depend on the number of threads.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "formats/portable.h"
#include "kernels/parallel_for.h"

namespace cats {

constexpr int64_t kGateBins = 32768;

struct GateObserverArgs {
  int64_t rows;
  int64_t width;        // intermediate
  const void* a;        // T [rows, width], the activated gate
  const void* u;        // T [rows, width], up
  const float* weight;  // [width] or null: each activation is multiplied by it
  const uint8_t* mask;  // [rows] or null: 0 leaves the row out
  int64_t* counts;      // [32768]
  double* up_abs_sum;   // [width]
  int64_t* tokens;      // [1], rows that were counted
  void* scratch;        // GateObserverScratchBytes(rows, width) bytes
};

// Bin of abs(value) * weight; the sign never counts, NaN is in the last bin.
CATS_HD int64_t GateBin(float value, float weight) {
#if defined(__CUDA_ARCH__)
  const uint32_t bits = BitsOf(__fmul_rn(value, weight)) & 0x7fffffffu;
#else
  const uint32_t bits = BitsOf(value * weight) & 0x7fffffffu;
#endif
  return bits > 0x7f800000u ? kGateBins - 1 : static_cast<int64_t>(bits >> 16);
}

// How many private histograms there are: one per 65,536 elements, at most 16.
inline int64_t GateHistograms(int64_t rows, int64_t width) noexcept {
  return std::clamp<int64_t>(rows * width / 65536, 1, std::min<int64_t>(16, std::max<int64_t>(rows, 1)));
}
inline size_t GateObserverScratchBytes(int64_t rows, int64_t width) noexcept {
  return static_cast<size_t>(GateHistograms(rows, width)) * kGateBins * sizeof(int64_t);
}

template <class T>
struct GateObserverKernel {
  static constexpr int64_t kColumns = 512;  // neurons whose sums one task takes

  static bool Run(const GateObserverArgs& args, const ParallelFor& parallel_for) noexcept {
    const int64_t histograms = GateHistograms(args.rows, args.width);
    const int64_t column_tasks = (args.width + kColumns - 1) / kColumns;
    if (!parallel_for(histograms + column_tasks, Task, const_cast<GateObserverArgs*>(&args))) return false;
    const auto* partial = static_cast<const int64_t*>(args.scratch);  // [histograms, 32768]
    std::memcpy(args.counts, partial, kGateBins * sizeof(int64_t));
    for (int64_t h = 1; h < histograms; ++h) {
      for (int64_t bin = 0; bin < kGateBins; ++bin) args.counts[bin] += partial[h * kGateBins + bin];
    }
    *args.tokens = 0;
    for (int64_t row = 0; row < args.rows; ++row) *args.tokens += IsCounted(args, row) ? 1 : 0;
    return true;
  }

 private:
  static bool IsCounted(const GateObserverArgs& args, int64_t row) {
    return args.mask == nullptr || args.mask[row] != 0;
  }

  static void Task(void* arg, int64_t task) {
    const auto& args = *static_cast<const GateObserverArgs*>(arg);
    const int64_t histograms = GateHistograms(args.rows, args.width);
    if (task < histograms) {
      Count(args, task, args.rows * task / histograms, args.rows * (task + 1) / histograms);
    } else {
      const int64_t first = (task - histograms) * kColumns;
      Sum(args, first, std::min(kColumns, args.width - first));
    }
  }

  static void Count(const GateObserverArgs& args, int64_t histogram, int64_t first_row, int64_t last_row) {
    int64_t* counts = static_cast<int64_t*>(args.scratch) + histogram * kGateBins;
    std::memset(counts, 0, kGateBins * sizeof(int64_t));
    for (int64_t row = first_row; row < last_row; ++row) {
      if (!IsCounted(args, row)) continue;
      const T* a = static_cast<const T*>(args.a) + row * args.width;
      for (int64_t i = 0; i < args.width; ++i) {
        ++counts[GateBin(T::ToFloat(a[i]), args.weight == nullptr ? 1.0f : args.weight[i])];
      }
    }
  }

  static void Sum(const GateObserverArgs& args, int64_t first, int64_t size) {
    double* sums = args.up_abs_sum + first;
    std::fill_n(sums, size, 0.0);
    for (int64_t row = 0; row < args.rows; ++row) {
      if (!IsCounted(args, row)) continue;
      const T* u = static_cast<const T*>(args.u) + row * args.width + first;
      for (int64_t i = 0; i < size; ++i) sums[i] += static_cast<double>(std::fabs(T::ToFloat(u[i])));
    }
  }
};

}  // namespace cats
