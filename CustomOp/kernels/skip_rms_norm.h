// SPDX-License-Identifier: MIT
// The residual addition and RMS norm in front of an MLP: sum = T(x + skip), y = T(sum * rsqrt(mean(sum^2) +
// epsilon) * weight), both in float32, of each row. On the CPU in plain loops: a row is far smaller than the
// weights behind it.
#pragma once
#include <cmath>
#include <cstdint>

namespace cats {

struct SkipRmsNormArgs {
  int64_t rows;
  int64_t hidden;
  int64_t skip_rows;     // rows is a multiple of it; row r of x goes with row r % skip_rows of skip
  const void* x;         // T [rows, hidden]
  const void* skip;      // T [skip_rows, hidden]
  const void* weight;    // T [hidden]
  const float* epsilon;  // [1]
  void* sum;             // T [rows, hidden] or null
  void* y;               // T [rows, hidden]
};

template <class T>
void SkipRmsNorm(const SkipRmsNormArgs& args) {
  const auto* weight = static_cast<const T*>(args.weight);
  for (int64_t row = 0; row < args.rows; ++row) {
    const T* x = static_cast<const T*>(args.x) + row * args.hidden;
    const T* skip = static_cast<const T*>(args.skip) + row % args.skip_rows * args.hidden;
    T* y = static_cast<T*>(args.y) + row * args.hidden;
    float squares = 0.0f;
    for (int64_t j = 0; j < args.hidden; ++j) {
      y[j] = T::FromFloat(T::ToFloat(x[j]) + T::ToFloat(skip[j]));
      squares += T::ToFloat(y[j]) * T::ToFloat(y[j]);
    }
    if (args.sum != nullptr) {
      T* sum = static_cast<T*>(args.sum) + row * args.hidden;
      for (int64_t j = 0; j < args.hidden; ++j) sum[j] = y[j];
    }
    const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(args.hidden) + *args.epsilon);
    for (int64_t j = 0; j < args.hidden; ++j) {
      y[j] = T::FromFloat(T::ToFloat(y[j]) * inverse * T::ToFloat(weight[j]));
    }
  }
}

}  // namespace cats
