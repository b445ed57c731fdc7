// SPDX-License-Identifier: MIT
// The definition of SparseGatedMlp, written to be read: double sums, one loop per line of the formula, no
// blocking, no threads. Tests measure every kernel against it; nothing else runs it.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/decision.h"
#include "kernels/gated_mlp.h"

namespace cats::reference {

// Rounds a double once to T. Through float there would be two roundings; a float that rounds to odd in
// place of nearest keeps what the second rounding needs.
template <class T>
T RoundTo(double value) {
  float narrow = static_cast<float>(value);
  if (sizeof(T) < sizeof(float) && std::isfinite(value) && static_cast<double>(narrow) != value &&
      std::isfinite(narrow)) {
    if ((BitsOf(narrow) & 1u) == 0u) {
      const bool toward_zero = std::fabs(static_cast<double>(narrow)) > std::fabs(value);
      narrow = FloatOf(BitsOf(narrow) + (toward_zero ? -1u : 1u));
    }
  }
  return T::FromFloat(narrow);
}

inline double Silu(double g) { return g / (1.0 + std::exp(-g)); }

template <class T>
double Load(const void* tensor, int64_t index) {
  return static_cast<double>(T::ToFloat(static_cast<const T*>(tensor)[index]));
}

template <class T>
double Dot(const GatedMlpArgs& args, int64_t row, const void* weights /* T [intermediate, hidden] */,
           const void* bias /* T [intermediate] or null */, int64_t neuron) {
  double sum = 0.0;
  for (int64_t j = 0; j < args.hidden; ++j) {
    sum += Load<T>(args.x, row * args.hidden + j) * Load<T>(weights, neuron * args.hidden + j);
  }
  return bias == nullptr ? sum : sum + Load<T>(bias, neuron);
}

// a_i = T(SiLU(T(x . gate_i + gate_bias_i))), [rows, intermediate].
template <class T>
std::vector<float> Activations(const GatedMlpArgs& args) {
  std::vector<float> a(static_cast<size_t>(args.rows * args.intermediate));
  for (int64_t row = 0; row < args.rows; ++row) {
    for (int64_t i = 0; i < args.intermediate; ++i) {
      const T g = RoundTo<T>(Dot<T>(args, row, args.gate, args.gate_bias, i));
      const T activated = RoundTo<T>(Silu(static_cast<double>(T::ToFloat(g))));
      a[static_cast<size_t>(row * args.intermediate + i)] = T::ToFloat(activated);
    }
  }
  return a;
}

// Neuron i of a row is kept iff not |a_i| < p_i, where p_i = scale * t_i in float32, a NaN or non-positive
// p_i counting as 0. In plain comparisons, unlike kernels/decision.h: tests hold one against the other.
inline bool IsKept(float activated, float threshold, float scale) {
  const float p = scale * threshold;
  return !(p > 0.0f) || !(std::fabs(activated) < p);
}

// 1 for kept, [rows, intermediate].
inline std::vector<uint8_t> Mask(const GatedMlpArgs& args, const std::vector<float>& a) {
  std::vector<uint8_t> kept(a.size());
  for (int64_t row = 0; row < args.rows; ++row) {
    for (int64_t i = 0; i < args.intermediate; ++i) {
      const float threshold = args.threshold[args.threshold_per_neuron ? i : 0];
      const float scale =
          args.threshold_scale == nullptr ? 1.0f : args.threshold_scale[args.scale_per_row ? row : 0];
      const auto at = static_cast<size_t>(row * args.intermediate + i);
      kept[at] = IsKept(a[at], threshold, scale) ? 1 : 0;
    }
  }
  return kept;
}

// Y = sum of a_i (x . up_i + up_bias_i) down_i over the kept neurons + down_bias, [rows, hidden].
template <class T>
std::vector<double> Output(const GatedMlpArgs& args, const std::vector<float>& a,
                           const std::vector<uint8_t>& kept) {
  std::vector<double> y(static_cast<size_t>(args.rows * args.hidden), 0.0);
  for (int64_t row = 0; row < args.rows; ++row) {
    for (int64_t i = 0; i < args.intermediate; ++i) {
      const auto at = static_cast<size_t>(row * args.intermediate + i);
      if (kept[at] == 0) continue;
      const double h = static_cast<double>(a[at]) * Dot<T>(args, row, args.up, args.up_bias, i);
      for (int64_t j = 0; j < args.hidden; ++j) {
        y[static_cast<size_t>(row * args.hidden + j)] += h * Load<T>(args.down, i * args.hidden + j);
      }
    }
    for (int64_t j = 0; args.down_bias != nullptr && j < args.hidden; ++j) {
      y[static_cast<size_t>(row * args.hidden + j)] += Load<T>(args.down_bias, j);
    }
  }
  return y;
}

}  // namespace cats::reference
