// SPDX-License-Identifier: MIT
// The greedy choice on the GPU: the highest logit, the lowest id of equals, and the inputs of the next step.
// CATS_CUDA only.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "kernels/cuda/greedy_token.h"
#include "kernels/cuda/read_ceiling.h"
#include "support/cuda_device.h"

namespace cats::test {
namespace {

constexpr int64_t kStride = 64;  // of the mask

template <class T>
struct Greedy : ::testing::Test {};

template <class T>
constexpr DType kDTypeOf = sizeof(T) == 4           ? DType::kF32
                           : std::is_same_v<T, F16> ? DType::kF16
                                                    : DType::kBF16;

struct Chosen {
  std::vector<int32_t> tokens;
  std::vector<int64_t> ids, positions, mask;
  bool guards;
};

template <class T>
Chosen Choose(const std::vector<T>& logits, int64_t rows, int64_t vocabulary, int64_t position) {
  const DeviceBytes on_device(logits), tokens(rows * sizeof(int32_t)), ids(rows * sizeof(int64_t)),
      positions(rows * sizeof(int64_t)), mask(std::vector<int64_t>(rows * kStride));
  const cuda::GreedyTokenArgs args{rows,
                                   on_device.data(),
                                   vocabulary,
                                   static_cast<int64_t>(logits.size()) / rows,
                                   static_cast<int32_t*>(tokens.data()),
                                   {ids.data(), 8},
                                   {positions.data(), 8},
                                   {mask.data(), 8},
                                   kStride,
                                   position};
  ThrowIfFailed(cuda::LoadGreedyToken(kDTypeOf<T>, 0));
  ThrowIfFailed(cuda::LaunchGreedyToken(kDTypeOf<T>, args, 0, nullptr));
  ThrowIfFailed(cudaDeviceSynchronize());
  return {tokens.Host<int32_t>(), ids.Host<int64_t>(), positions.Host<int64_t>(), mask.Host<int64_t>(),
          on_device.GuardsHold() && tokens.GuardsHold() && ids.GuardsHold() && positions.GuardsHold() &&
              mask.GuardsHold()};
}

// The definition: what the host's sampler does.
template <class T>
int32_t Expected(const T* logits, int64_t vocabulary) {
  int32_t best = 0;
  for (int64_t id = 0; id < vocabulary; ++id) {
    const float value = T::ToFloat(logits[id]), held = T::ToFloat(logits[best]);
    if (std::isnan(value)) return static_cast<int32_t>(-1 - id);
    if (value > held || (value == held && std::signbit(held) && !std::signbit(value)))
      best = static_cast<int32_t>(id);
  }
  return best;
}

using Formats = ::testing::Types<F32, F16, BF16>;
TYPED_TEST_SUITE(Greedy, Formats);

TYPED_TEST(Greedy, ChoosesAsTheHostDoesAndMakesTheNextStep) {
  using T = TypeParam;
  std::mt19937 random(1);
  for (const int64_t vocabulary : {1, 2, 31, 1000, 1024, 1025, 32000, 128256}) {
    for (const int64_t rows : {1, 3}) {
      const int64_t stride = vocabulary + 5;  // what lies between rows must not count
      std::vector<T> logits(static_cast<size_t>(rows * stride), T::FromFloat(1e4f));
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t id = 0; id < vocabulary; ++id) {
          // Few values, so that many are equal; signs of zero too.
          const float value = static_cast<float>(static_cast<int>(random() % 64)) - 70.0f;
          logits[static_cast<size_t>(row * stride + id)] = T::FromFloat(random() % 16 == 0 ? -0.0f : value);
        }
      }
      const Chosen chosen = Choose(logits, rows, vocabulary, 17);
      EXPECT_TRUE(chosen.guards);
      for (int64_t row = 0; row < rows; ++row) {
        const int32_t expected = Expected(logits.data() + row * stride, vocabulary);
        EXPECT_EQ(chosen.tokens[row], expected) << vocabulary;
        EXPECT_EQ(chosen.ids[row], expected);
        EXPECT_EQ(chosen.positions[row], 17);
        for (int64_t at = 0; at < kStride; ++at) EXPECT_EQ(chosen.mask[row * kStride + at], at == 17 ? 1 : 0);
      }
    }
  }
}

TYPED_TEST(Greedy, SeesInfinityZeroAndNaN) {
  using T = TypeParam;
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<T> logits(40, T::FromFloat(-3.0f));
  logits[7] = T::FromFloat(-0.0f);
  logits[9] = T::FromFloat(0.0f);
  EXPECT_EQ(Choose(logits, 1, 40, 0).tokens[0], 9);
  logits[20] = T::FromFloat(inf);
  EXPECT_EQ(Choose(logits, 1, 40, 0).tokens[0], 20);
  logits[30] = T::FromFloat(std::numeric_limits<float>::quiet_NaN());
  logits[33] = logits[30];
  EXPECT_EQ(Choose(logits, 1, 40, 0).tokens[0], -31);
  EXPECT_EQ(Choose(std::vector<T>(40, T::FromFloat(-inf)), 1, 40, 0).tokens[0], 0);
}

TEST(ReadCeiling, IsThatOfAGpu) {
  double rate = 0;
  ThrowIfFailed(cuda::MeasureReadCeiling(0, int64_t{1} << 30, 3, &rate));
  EXPECT_GT(rate, 1e11);
  EXPECT_LT(rate, 1e13);
}

}  // namespace
}  // namespace cats::test
