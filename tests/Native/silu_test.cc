// SPDX-License-Identifier: MIT
// SiLU: how far from the double result, and the same bits from every instruction set.
#include "kernels/silu.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/cpu/target.h"

namespace cats::test {
namespace {

// One loop per instruction set; the compiler makes vector code of each.
void Baseline(const float* g, float* a, int64_t size) {
  for (int64_t i = 0; i < size; ++i) a[i] = Silu(g[i]);
}
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((noinline, optimize("no-tree-vectorize")))
#endif
void OneByOne(const float* g, float* a, int64_t size) {
  for (int64_t i = 0; i < size; ++i) a[i] = Silu(g[i]);
}
#if defined(__x86_64__)
CATS_TARGET_BEGIN_AVX2
void Avx2(const float* g, float* a, int64_t size) {
  for (int64_t i = 0; i < size; ++i) a[i] = Silu(g[i]);
}
CATS_TARGET_END
CATS_TARGET_BEGIN_AVX512
void Avx512(const float* g, float* a, int64_t size) {
  for (int64_t i = 0; i < size; ++i) a[i] = Silu(g[i]);
}
CATS_TARGET_END
#endif

constexpr int64_t kBlock = 4096;

template <class Body>
void ForFloats(uint64_t stride, Body body) {
  std::vector<float> g(kBlock);
  for (uint64_t first = 0; first < (uint64_t{1} << 32); first += stride * kBlock) {
    for (int64_t i = 0; i < kBlock; ++i)
      g[static_cast<size_t>(i)] = FloatOf(static_cast<uint32_t>(first + static_cast<uint64_t>(i) * stride));
    body(g.data());
  }
}

TEST(Silu, IsWithin1Point75UlpOfDouble) {
  double worst = 0.0;
  float at = 0.0f;
  ForFloats(211, [&](const float* g) {
    for (int64_t i = 0; i < kBlock; ++i) {
      const double exact = static_cast<double>(g[i]) / (1.0 + std::exp(-static_cast<double>(g[i])));
      const float value = Silu(g[i]);
      if (!std::isfinite(exact)) {
        ASSERT_EQ(std::isnan(exact), std::isnan(value)) << g[i];
        ASSERT_TRUE(std::isnan(exact) || exact == static_cast<double>(value)) << g[i];
        continue;
      }
      int exponent = 0;
      std::frexp(exact, &exponent);
      const double ulp = std::ldexp(1.0, std::max(exponent - 24, -149));
      const double error = std::fabs(static_cast<double>(value) - exact) / ulp;
      if (error > worst) {
        worst = error;
        at = g[i];
      }
    }
  });
  EXPECT_LE(worst, 1.75) << "at " << at;
  RecordProperty("worst_ulp", std::to_string(worst));
}

TEST(Silu, GivesTheSameBitsOnEveryInstructionSet) {
  std::vector<float> expected(kBlock), other(kBlock);
  uint64_t different = 0;
  const auto compare = [&] {
    for (size_t i = 0; i < kBlock; ++i) {
      const bool both_nan = std::isnan(expected[i]) && std::isnan(other[i]);
      different += !both_nan && BitsOf(expected[i]) != BitsOf(other[i]);
    }
  };
  ForFloats(499, [&](const float* g) {
    OneByOne(g, expected.data(), kBlock);
    Baseline(g, other.data(), kBlock);
    compare();
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      Avx2(g, other.data(), kBlock);
      compare();
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
      Avx512(g, other.data(), kBlock);
      compare();
    }
#endif
  });
  EXPECT_EQ(0u, different);
}

TEST(Silu, TreatsSpecialValuesAsTheUnfusedGraphDoes) {
  EXPECT_EQ(0u, BitsOf(Silu(0.0f)));
  EXPECT_EQ(0x80000000u, BitsOf(Silu(-0.0f)));
  EXPECT_EQ(INFINITY, Silu(INFINITY));
  EXPECT_TRUE(std::isnan(Silu(-INFINITY)));  // -inf * Sigmoid(-inf) = -inf * 0
  EXPECT_TRUE(std::isnan(Silu(NAN)));
  EXPECT_EQ(0x80000000u, BitsOf(Silu(-1e30f)));
  EXPECT_EQ(1e30f, Silu(1e30f));
}

}  // namespace
}  // namespace cats::test
