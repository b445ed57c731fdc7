// SPDX-License-Identifier: MIT
// The decision and the op CatsThreshold: all 65,536 float16 and bfloat16 values against the definition.
#include "kernels/cats_threshold.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "formats/dtype.h"
#include "kernels/reference/sparse_gated_mlp.h"
#include "support/thread_pool.h"

namespace cats::test {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
const std::vector<float> kThresholds = {
    -kInf, -1.0f,   -1e-45f, -0.0f, 0.0f, 1e-45f,   1e-40f, 1.17549435e-38f, 5.9604645e-8f, 6.1e-5f,
    0.01f, 0.0625f, 0.1f,    0.5f,  1.0f, 65504.0f, 1e20f,  3.4028235e38f,   kInf,          kNan};
const std::vector<float> kScales = {1.0f,   0.0f,   -0.0f, -1.0f, 0.5f,  2.0f,
                                    1e-45f, 1e-30f, 1e30f, kInf,  -kInf, kNan};

template <class T>
class CatsThreshold : public testing::Test {};
using Formats = testing::Types<F32, F16, BF16>;
TYPED_TEST_SUITE(CatsThreshold, Formats);

// Every pattern of a 16-bit format; for float32 every 65,537th pattern.
template <class T>
std::vector<T> AllValues() {
  std::vector<T> values;
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const uint32_t wide = bits * 65537u;
    T value;
    std::memcpy(&value, sizeof(T) == 2 ? static_cast<const void*>(&bits) : &wide, sizeof(T));
    values.push_back(value);
  }
  return values;
}

TYPED_TEST(CatsThreshold, DecidesAsDefinedForAllValuesThresholdsAndScales) {
  using T = TypeParam;
  const std::vector<T> x = AllValues<T>();
  std::vector<T> y(x.size());
  uint64_t different = 0;
  for (float threshold : kThresholds) {
    for (float scale : kScales) {
      CatsThresholdArgs args{1, 65536, x.data(), &threshold, &scale, y.data(), false, false};
      ASSERT_TRUE(CatsThresholdKernel<T>::Run(args, SerialFor()));
      for (size_t i = 0; i < x.size(); ++i) {
        const bool kept = reference::IsKept(T::ToFloat(x[i]), threshold, scale);
        const T expected = kept ? x[i] : T{};
        different += std::memcmp(&expected, &y[i], sizeof(T)) != 0;
      }
    }
  }
  EXPECT_EQ(0u, different);
}

TYPED_TEST(CatsThreshold, TakesAThresholdPerNeuronAndAScalePerRow) {
  using T = TypeParam;
  const int64_t rows = 5, width = 5000;
  std::vector<T> x, y(static_cast<size_t>(rows * width));
  std::vector<float> threshold, scale = {1.0f, 0.0f, 2.0f, kNan, 1e30f};
  for (int64_t i = 0; i < rows * width; ++i) x.push_back(T::FromFloat(std::sin(static_cast<float>(i))));
  for (int64_t i = 0; i < width; ++i) threshold.push_back(static_cast<float>(i) / static_cast<float>(width));
  CatsThresholdArgs args{rows, width, x.data(), threshold.data(), scale.data(), y.data(), true, true};
  ThreadPool pool(3);
  ASSERT_TRUE(CatsThresholdKernel<T>::Run(args, pool.get()));
  for (int64_t i = 0; i < rows * width; ++i) {
    const auto at = static_cast<size_t>(i);
    const bool kept = reference::IsKept(T::ToFloat(x[at]), threshold[at % width], scale[at / width]);
    const T expected = kept ? x[at] : T{};
    ASSERT_EQ(0, std::memcmp(&expected, &y[at], sizeof(T))) << i;
  }
}

TYPED_TEST(CatsThreshold, WorksInPlaceAndOnNothing) {
  using T = TypeParam;
  std::vector<T> values = {T::FromFloat(0.5f), T::FromFloat(-2.0f), T::FromFloat(0.25f)};
  const float threshold = 1.0f;
  CatsThresholdArgs args{1, 3, values.data(), &threshold, nullptr, values.data(), false, false};
  ASSERT_TRUE(CatsThresholdKernel<T>::Run(args, SerialFor()));
  EXPECT_EQ(0.0f, T::ToFloat(values[0]));
  EXPECT_EQ(-2.0f, T::ToFloat(values[1]));
  EXPECT_EQ(0.0f, T::ToFloat(values[2]));
  for (const auto& [rows, width] : {std::pair<int64_t, int64_t>{0, 3}, {3, 0}, {0, 0}}) {
    args.rows = rows;
    args.width = width;
    EXPECT_TRUE(CatsThresholdKernel<T>::Run(args, SerialFor()));
  }
}

}  // namespace
}  // namespace cats::test
