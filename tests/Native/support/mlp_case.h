// SPDX-License-Identifier: MIT
// One gated MLP with random, seeded contents of any dtype and size, at exact allocation size, so that ASan
// sees a read past an array.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "kernels/reference/sparse_gated_mlp.h"
#include "support/thread_pool.h"

namespace cats::test {

template <class T>
struct MlpCase {
  using Type = T;
  int64_t rows, hidden, intermediate;
  std::vector<T> x, gate, up, down, gate_bias, up_bias, down_bias;
  std::vector<float> threshold{0.0f}, scale;
  bool biases = false;

  MlpCase(int64_t rows_, int64_t hidden_, int64_t intermediate_, uint32_t seed = 1, bool biases_ = false)
      : rows(rows_), hidden(hidden_), intermediate(intermediate_), biases(biases_) {
    std::mt19937 random(seed);
    const float spread = 1.0f / std::sqrt(static_cast<float>(std::max<int64_t>(hidden, 1)));
    x = Normal(random, rows * hidden, 1.0f);
    gate = Normal(random, intermediate * hidden, spread);
    up = Normal(random, intermediate * hidden, spread);
    down = Normal(random, intermediate * hidden, spread);
    gate_bias = Normal(random, intermediate, 0.3f);
    up_bias = Normal(random, intermediate, 0.3f);
    down_bias = Normal(random, hidden, 0.3f);
  }

  static std::vector<T> Normal(std::mt19937& random, int64_t size, float spread) {
    std::normal_distribution<float> normal(0.0f, spread);
    std::vector<T> values(static_cast<size_t>(size));
    for (T& value : values) value = T::FromFloat(normal(random));
    return values;
  }

  GatedMlpArgs Args() const {
    GatedMlpArgs args{};
    args.rows = rows;
    args.hidden = hidden;
    args.intermediate = intermediate;
    args.x = x.data();
    args.gate = gate.data();
    args.up = up.data();
    args.down = down.data();
    args.threshold = threshold.data();
    args.threshold_per_neuron = threshold.size() != 1 || intermediate == 1;
    args.threshold_scale = scale.empty() ? nullptr : scale.data();
    args.scale_per_row = scale.size() > 1;
    if (biases) {
      args.gate_bias = gate_bias.data();
      args.up_bias = up_bias.data();
      args.down_bias = down_bias.data();
    }
    return args;
  }

  // Makes every product positive. A sum of a few products of both signs may cancel, and then the error
  // relative to the largest output says nothing about the kernel.
  void WithoutCancellation() {
    for (std::vector<T>* values : {&x, &gate, &up, &down, &gate_bias, &up_bias, &down_bias}) {
      for (T& value : *values) value = T::FromFloat(std::fabs(T::ToFloat(value)));
    }
  }

  // Per neuron a threshold in the widest gap (by ratio) between the rows' activations, so that no kernel's
  // rounding can turn a decision; every third neuron is kept by all rows, every third by none. least: of the
  // activations that gaps are looked for above, for paths whose activations have an error that does not
  // shrink with them.
  void ThresholdsInGaps(const std::vector<float>& a /* [rows, intermediate] */, float least = 0.0f) {
    threshold.assign(static_cast<size_t>(intermediate), 0.0f);
    for (int64_t i = 0; i < intermediate; ++i) {
      std::vector<float> column;
      for (int64_t row = 0; row < rows; ++row) {
        column.push_back(std::max(std::fabs(a[static_cast<size_t>(row * intermediate + i)]), 1e-20f));
      }
      std::sort(column.begin(), column.end());
      float best = i % 3 != 0               ? std::max(column.back(), least) * 4
                   : column.front() < least ? 0.0f
                                            : column.front() / 4;
      float widest = 1.5f;
      for (size_t k = 0; i % 3 == 1 && k + 1 < column.size(); ++k) {
        if (column[k + 1] / column[k] > widest && column[k + 1] >= least) {
          widest = column[k + 1] / column[k];
          best = least > 0.0f ? (column[k] + column[k + 1]) / 2 : std::sqrt(column[k] * column[k + 1]);
        }
      }
      threshold[static_cast<size_t>(i)] = best;
    }
    if (intermediate == 1) threshold.resize(1);
  }
};

template <class T>
struct MlpResult {
  std::vector<T> y;             // [rows, hidden]
  std::vector<int32_t> active;  // [rows]
  bool ok = false;

  bool SameBits(const MlpResult& other) const {
    return active == other.active && y.size() == other.y.size() &&
           (y.empty() || std::memcmp(y.data(), other.y.data(), y.size() * sizeof(T)) == 0);
  }
};

// Runs a kernel with scratch and outputs filled with garbage first.
template <class T>
MlpResult<T> RunKernel(const GatedMlpKernel& kernel, GatedMlpArgs args, int threads = 1) {
  MlpResult<T> result;
  result.y.resize(static_cast<size_t>(args.rows * args.hidden));
  if (!result.y.empty()) std::memset(static_cast<void*>(result.y.data()), 0xff, result.y.size() * sizeof(T));
  result.active.assign(static_cast<size_t>(args.rows), -1);
  const size_t bytes = kernel.scratch_bytes(args.rows, args.hidden, args.intermediate);
  std::unique_ptr<void, void (*)(void*)> scratch(
      bytes == 0 ? nullptr : std::aligned_alloc(64, (bytes + 63) / 64 * 64), std::free);
  if (bytes > 0) std::memset(scratch.get(), 0xff, bytes);
  args.scratch = scratch.get();
  args.y = result.y.data();
  args.active = result.active.data();
  ThreadPool pool(threads);
  result.ok = kernel.run(args, pool.get());
  return result;
}

// max |Y - expected| / max |expected|; infinite where one is NaN and the other is not.
template <class T>
double RelativeError(const std::vector<T>& y, const std::vector<double>& expected) {
  double worst = 0.0, largest = 0.0;
  for (size_t i = 0; i < y.size(); ++i) {
    const double value = static_cast<double>(T::ToFloat(y[i]));
    if (std::isnan(value) || std::isnan(expected[i])) {
      if (std::isnan(value) != std::isnan(expected[i])) return INFINITY;
      continue;
    }
    worst = std::max(worst, std::fabs(value - expected[i]));
    largest = std::max(largest, std::fabs(expected[i]));
  }
  return largest == 0.0 ? worst : worst / largest;
}

}  // namespace cats::test
