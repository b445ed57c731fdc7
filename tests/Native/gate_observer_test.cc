// SPDX-License-Identifier: MIT
// GateObserver's kernel against counting by hand.
#include "kernels/gate_observer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "formats/dtype.h"
#include "support/thread_pool.h"

namespace cats::test {
namespace {

template <class T>
struct Observation {
  std::vector<T> a, u;
  std::vector<float> weight;
  std::vector<uint8_t> mask;
  int64_t rows, width;
  std::vector<int64_t> counts = std::vector<int64_t>(kGateBins, -1);
  std::vector<double> sums;
  int64_t tokens = -1;

  Observation(int64_t rows_, int64_t width_)
      : rows(rows_), width(width_), sums(static_cast<size_t>(width_), -1.0) {
    std::mt19937 random(3);
    std::normal_distribution<float> normal(0.0f, 0.2f);
    for (int64_t i = 0; i < rows * width; ++i) {
      a.push_back(T::FromFloat(normal(random)));
      u.push_back(T::FromFloat(normal(random)));
    }
  }

  void Run(int threads = 1) {
    std::vector<int64_t> scratch(GateObserverScratchBytes(rows, width) / sizeof(int64_t), -7);
    const GateObserverArgs args{rows,
                                width,
                                a.data(),
                                u.data(),
                                weight.empty() ? nullptr : weight.data(),
                                mask.empty() ? nullptr : mask.data(),
                                counts.data(),
                                sums.data(),
                                &tokens,
                                scratch.data()};
    ThreadPool pool(threads);
    ASSERT_TRUE(GateObserverKernel<T>::Run(args, pool.get()));
  }

  void ExpectByHand() const {
    std::vector<int64_t> expected(kGateBins, 0);
    std::vector<double> expected_sums(static_cast<size_t>(width), 0.0);
    int64_t expected_tokens = 0;
    for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
      if (!mask.empty() && mask[row] == 0) continue;
      ++expected_tokens;
      for (size_t i = 0; i < static_cast<size_t>(width); ++i) {
        const size_t at = row * static_cast<size_t>(width) + i;
        const float value = std::fabs(T::ToFloat(a[at])) * (weight.empty() ? 1.0f : weight[i]);
        ++expected[std::isnan(value) ? kGateBins - 1 : BitsOf(value) >> 16];
        expected_sums[i] += std::fabs(static_cast<double>(T::ToFloat(u[at])));
      }
    }
    EXPECT_EQ(expected, counts);
    EXPECT_EQ(expected_sums, sums);
    EXPECT_EQ(expected_tokens, tokens);
  }
};

template <class T>
class GateObserver : public testing::Test {};
using Formats = testing::Types<F32, F16, BF16>;
TYPED_TEST_SUITE(GateObserver, Formats);

TYPED_TEST(GateObserver, CountsSumsAndTokensAreThoseCountedByHand) {
  for (const auto& [rows, width] :
       {std::pair<int64_t, int64_t>{1, 1}, {1, 700}, {7, 33}, {64, 1030}, {300, 1000}}) {
    Observation<TypeParam> observation(rows, width);
    observation.Run(2);
    observation.ExpectByHand();
  }
}

TYPED_TEST(GateObserver, WeightMultipliesTheActivation) {
  Observation<TypeParam> observation(9, 50);
  for (int i = 0; i < 50; ++i) observation.weight.push_back(static_cast<float>(i) * 0.1f);
  observation.Run();
  observation.ExpectByHand();
}

TYPED_TEST(GateObserver, MaskLeavesRowsOut) {
  Observation<TypeParam> observation(300, 400);
  for (int row = 0; row < 300; ++row) observation.mask.push_back(row % 3 == 0 ? 1 : 0);
  for (int i = 0; i < 400; ++i)
    observation.u[400 + static_cast<size_t>(i)] = TypeParam::FromFloat(NAN);  // a masked row
  observation.Run(2);
  observation.ExpectByHand();
  EXPECT_EQ(100, observation.tokens);
}

TYPED_TEST(GateObserver, PutsNanInTheLastBinAndIgnoresTheSign) {
  using T = TypeParam;
  Observation<T> observation(1, 6);
  observation.a = {T::FromFloat(NAN),       T::FromFloat(-NAN),  T::FromFloat(INFINITY),
                   T::FromFloat(-INFINITY), T::FromFloat(-0.0f), T::FromFloat(-1.0f)};
  observation.Run();
  EXPECT_EQ(2, observation.counts[32767]);
  EXPECT_EQ(2, observation.counts[0x7f80]);
  EXPECT_EQ(1, observation.counts[0]);
  EXPECT_EQ(1, observation.counts[0x3f80]);
  EXPECT_EQ(6, std::accumulate(observation.counts.begin(), observation.counts.end(), int64_t{0}));
}

TYPED_TEST(GateObserver, GivesTheSameBitsForAnyNumberOfThreads) {
  Observation<TypeParam> serial(200, 2000);
  serial.Run(1);
  for (int threads = 2; threads <= 8; ++threads) {
    Observation<TypeParam> other(200, 2000);
    other.Run(threads);
    EXPECT_EQ(serial.counts, other.counts);
    EXPECT_EQ(serial.sums, other.sums);
  }
}

TYPED_TEST(GateObserver, TakesNoRowsAndNoNeurons) {
  for (const auto& [rows, width] : {std::pair<int64_t, int64_t>{0, 5}, {4, 0}, {0, 0}}) {
    Observation<TypeParam> observation(rows, width);
    observation.Run();
    observation.ExpectByHand();
  }
}

}  // namespace
}  // namespace cats::test
