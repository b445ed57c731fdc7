// SPDX-License-Identifier: MIT
// The smaller CUDA kernels on the emulator: CatsThreshold, GateObserver, the norm by itself, decisions and h
// of many rows, the greedy choice; all with their own launches, against the CPU's kernels or a definition.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "cuda_runtime.h"
#include "kernels/cuda/dense_rows.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/greedy_token.h"
#include "kernels/cuda/skip_rms_norm.h"
#include "kernels/decision.h"
#include "kernels/silu.h"
#include "support/cats_models.h"
#include "support/tolerances.h"

namespace cats::test {
namespace {

template <class T>
class Emulated : public testing::Test {
 protected:
  static constexpr DType kDType = OnnxOf<T>::kDType;
};
using Formats = testing::Types<F32, F16, BF16>;
TYPED_TEST_SUITE(Emulated, Formats);

template <class V>
bool SameBits(const std::vector<V>& a, const std::vector<V>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(V)) == 0;
}

TYPED_TEST(Emulated, ThresholdDecidesAsTheCpuForAllValues) {
  using T = TypeParam;
  std::vector<T> x(65536);  // every pattern of a 16-bit format, every 65,537th of float32
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const uint32_t wide = bits * 65537u;
    std::memcpy(&x[bits], sizeof(T) == 2 ? static_cast<const void*>(&bits) : &wide, sizeof(T));
  }
  std::vector<T> expected(x.size()), y(x.size());
  std::vector<float> thresholds(256), scales(256);
  for (size_t i = 0; i < 256; ++i) {
    thresholds[i] = static_cast<float>(i) * 0.013f - 0.1f;
    scales[i] = i % 7 == 0 ? 0.0f : 1.5f;
  }
  for (const bool each : {false, true}) {
    CatsThresholdArgs args{256, 256, x.data(), thresholds.data(), scales.data(), expected.data(), each, each};
    ASSERT_TRUE(CatsThresholdKernel<T>::Run(args, SerialFor()));
    args.y = y.data();
    ASSERT_EQ(0, cuda::LoadElementwise(this->kDType));
    ASSERT_EQ(0, cuda::LaunchCatsThreshold(this->kDType, args, nullptr));
    EXPECT_TRUE(SameBits(expected, y));
  }
}

TYPED_TEST(Emulated, ObserverCountsAsTheCpu) {
  using T = TypeParam;
  constexpr int64_t kRows = 7, kWidth = 301;
  std::mt19937 random(3);
  std::vector<T> a = MlpCase<T>::Normal(random, kRows * kWidth, 0.2f);
  const std::vector<T> u = MlpCase<T>::Normal(random, kRows * kWidth, 0.5f);
  a[5] = T::FromFloat(NAN);
  std::vector<float> weight(kWidth, 1.25f);
  const std::vector<uint8_t> mask = {1, 0, 1, 1, 0, 1, 1};
  std::vector<int64_t> counts[2] = {std::vector<int64_t>(kGateBins, -1), std::vector<int64_t>(kGateBins, -1)};
  std::vector<double> sums[2] = {std::vector<double>(kWidth, -1), std::vector<double>(kWidth, -1)};
  int64_t tokens[2] = {-1, -1};
  std::vector<int64_t> scratch(GateObserverScratchBytes(kRows, kWidth) / sizeof(int64_t));
  std::vector<T> passed(a.size());
  for (int device = 0; device < 2; ++device) {
    const GateObserverArgs args{kRows,
                                kWidth,
                                a.data(),
                                u.data(),
                                weight.data(),
                                mask.data(),
                                counts[device].data(),
                                sums[device].data(),
                                &tokens[device],
                                scratch.data()};
    if (device == 0) {
      ASSERT_TRUE(GateObserverKernel<T>::Run(args, SerialFor()));
    } else {
      ASSERT_EQ(0, cuda::LaunchGateObserver(this->kDType, args, passed.data(), nullptr));
    }
  }
  EXPECT_EQ(counts[0], counts[1]);
  EXPECT_TRUE(SameBits(sums[0], sums[1]));
  EXPECT_EQ(5, tokens[1]);
  EXPECT_EQ(tokens[0], tokens[1]);
  EXPECT_TRUE(SameBits(a, passed));
}

// Rows that stay in registers, rows longer than that, and such at no multiple of 16 bytes.
TYPED_TEST(Emulated, NormEqualsTheReference) {
  using T = TypeParam;
  for (const int64_t hidden : {1, 101, 2048, 9000}) {
    for (const int64_t skip_rows : {1, 3}) {
      const NormCase<T> norm(3, hidden, skip_rows, 5);
      std::vector<T> sum, expected_sum;
      std::vector<double> expected;
      norm.Reference(&expected_sum, &expected);
      sum.resize(expected_sum.size());
      std::vector<T> y(sum.size());
      SkipRmsNormArgs args = norm.Args();
      args.sum = sum.data(), args.y = y.data();
      ASSERT_EQ(0, cuda::LoadSkipRmsNorm(this->kDType));
      ASSERT_EQ(0, cuda::LaunchSkipRmsNorm(this->kDType, args, nullptr));
      EXPECT_TRUE(SameBits(expected_sum, sum)) << hidden;
      EXPECT_LE(RelativeError(y, expected), ToleranceOf(this->kDType)) << hidden;
    }
  }
}

// In one piece or cut into slices, at multiples of 16 bytes or not.
TYPED_TEST(Emulated, ManyRowsDecideAsDefined) {
  using T = TypeParam;
  for (const int64_t width : {4096, 333}) {
    constexpr int64_t kRows = 3;
    MlpCase<T> mlp(kRows, 1, width, 11, true);
    mlp.threshold = {0.2f};
    mlp.scale = {1.0f, 0.0f, 2.0f};
    std::mt19937 random(4);
    std::vector<T> g = MlpCase<T>::Normal(random, kRows * width, 1.0f), expected(g.size());
    const std::vector<T> u = MlpCase<T>::Normal(random, kRows * width, 1.0f);
    std::vector<int32_t> active(kRows, -1), kept(kRows, 0);
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t i = 0; i < width; ++i) {
        const auto at = static_cast<size_t>(r * width + i);
        const float a = T::ToFloat(T::FromFloat(Silu(T::ToFloat(g[at]))));
        if (!IsKept(a, ThresholdBits(0.2f, mlp.scale[static_cast<size_t>(r)]))) continue;
        ++kept[static_cast<size_t>(r)];
        const float up = T::ToFloat(u[at]) + T::ToFloat(mlp.up_bias[static_cast<size_t>(i)]);
        expected[at] = T::FromFloat(a * up);
      }
    }
    cuda::DeviceLimits limits{2, 90, 227 * 1024, true};
    GatedMlpArgs args = mlp.Args();
    args.active = active.data();
    ASSERT_EQ(0, cuda::LoadDenseRows(this->kDType));
    ASSERT_EQ(0, cuda::LaunchDenseRows(limits, this->kDType, args, 0, kRows, g.data(), u.data(), nullptr));
    EXPECT_TRUE(SameBits(expected, g)) << width;
    EXPECT_EQ(kept, active) << width;
  }
}

TYPED_TEST(Emulated, GreedyChoosesTheHighestLogitTheLowestOfEqualsAndSeesNaN) {
  using T = TypeParam;
  constexpr int64_t kVocabulary = 1500, kStride = 1507, kMask = 20, kPosition = 17;
  std::vector<T> logits(2 * kStride, T::FromFloat(9.0f));  // what lies between rows must not count
  for (int64_t row = 0; row < 2; ++row) {
    for (int64_t id = 0; id < kVocabulary; ++id) {
      logits[static_cast<size_t>(row * kStride + id)] =
          T::FromFloat(static_cast<float>(id * 7919 % 64) - 70.0f);
    }
  }
  logits[1201] = T::FromFloat(0.0f), logits[1300] = logits[1201], logits[600] = T::FromFloat(-0.0f);
  logits[kStride + 900] = T::FromFloat(std::numeric_limits<float>::quiet_NaN());
  std::vector<int32_t> token(2), positions(2);
  std::vector<int64_t> ids(2), mask(2 * kMask);
  const cuda::GreedyTokenArgs args{2,
                                   logits.data(),
                                   kVocabulary,
                                   kStride,
                                   token.data(),
                                   {ids.data(), 8},
                                   {positions.data(), 4},
                                   {mask.data(), 8},
                                   kMask,
                                   kPosition};
  ASSERT_EQ(0, cuda::LoadGreedyToken(this->kDType, 0));
  ASSERT_EQ(0, cuda::LaunchGreedyToken(this->kDType, args, 0, nullptr));
  EXPECT_EQ((std::vector<int32_t>{1201, -1 - 900}), token);
  EXPECT_EQ((std::vector<int64_t>{1201, 900}), ids);
  EXPECT_EQ((std::vector<int32_t>{kPosition, kPosition}), positions);
  for (int64_t at = 0; at < 2 * kMask; ++at) {
    EXPECT_EQ(at % kMask == kPosition ? 1 : 0, mask[static_cast<size_t>(at)]);
  }
}

TEST(EmulatedDevice, RefusesALaunchThatADeviceWouldRefuse) {
  const GatedMlpArgs none{};
  cudaLaunchConfig_t config = {};
  config.gridDim = {1, 1, 1}, config.blockDim = {2048, 1, 1};
  EXPECT_EQ(cudaErrorInvalidValue, cudaLaunchKernelEx(
                                       &config, +[](GatedMlpArgs) {}, none));
}

}  // namespace
}  // namespace cats::test
