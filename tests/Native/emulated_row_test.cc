// SPDX-License-Identifier: MIT
// The fused CUDA kernel for one and two rows on the emulator: results, counts, the exchange area left as it
// was found, the same bits in every order of its threads.
#include <gtest/gtest.h>

#include <numeric>

#include "cuda_runtime.h"
#include "kernels/cuda/exchange.cuh"
#include "kernels/cuda/skip_rms_norm.h"
#include "kernels/cuda/sparse_row.h"
#include "support/cats_models.h"
#include "support/tolerances.h"

namespace cats::test {
namespace {

using namespace cuda;

template <class V>
struct Aligned {
  std::vector<V> room;
  V* data;
  explicit Aligned(const std::vector<V>& values) : room(values.size() + 64 / sizeof(V)) {
    const size_t over = reinterpret_cast<uintptr_t>(room.data()) % 64;
    data = room.data() + (over == 0 ? 0 : (64 - over) / sizeof(V));
    std::copy(values.begin(), values.end(), data);
  }
};

template <class T, int Hidden, int Rows>
struct Emulated {
  MlpCase<T> mlp;
  NormCase<T> norm{Rows, Hidden, Rows, 5};
  bool normed = false;
  int blocks = 33;

  Emulated(int intermediate, bool biases) : mlp(Rows, Hidden, intermediate, 7, biases) {}

  void WithNorm() {
    normed = true;
    SkipRmsNormArgs args = norm.Args();
    args.y = mlp.x.data();
    EXPECT_EQ(0, LaunchSkipRmsNorm(OnnxOf<T>::kDType, args, nullptr));
  }

  MlpResult<T> Run(uint32_t seed) const {
    const Aligned<T> x(normed ? norm.x : mlp.x), gate(mlp.gate), up(mlp.up), down(mlp.down);
    const Aligned<T> skip(norm.skip), weight(norm.weight);
    Aligned<T> sum(norm.x);
    emulator::device = {blocks, 9};
    emulator::seed = seed;
    DeviceLimits limits;
    EXPECT_EQ(0, ReadDeviceLimits(0, &limits));
    const SparseRowPlan plan = PlanSparseRow(limits, OnnxOf<T>::kDType, Hidden, mlp.intermediate, true, Rows);
    EXPECT_TRUE(plan.fused);
    EXPECT_EQ(0, LoadSparseRow(plan, OnnxOf<T>::kDType, Hidden));
    const Aligned<uint32_t> area(std::vector<uint32_t>(plan.scratch_bytes / 4));
    const GatedMlpArgs mlp_args = mlp.Args();
    MlpResult<T> result;
    result.y.resize(static_cast<size_t>(Rows * Hidden));
    result.active.assign(Rows, -1);
    SparseRowArgs args{};
    args.x = x.data, args.gate = gate.data, args.up = up.data, args.down = down.data;
    args.threshold = mlp_args.threshold, args.threshold_per_neuron = mlp_args.threshold_per_neuron;
    args.threshold_scale = mlp_args.threshold_scale, args.scale_per_row = mlp_args.scale_per_row;
    args.gate_bias = mlp_args.gate_bias, args.up_bias = mlp_args.up_bias, args.down_bias = mlp_args.down_bias;
    args.y = result.y.data(), args.active = result.active.data(), args.exchange = area.data;
    args.hidden = Hidden, args.intermediate = mlp.intermediate;
    if (normed) {
      args.skip = skip.data, args.norm_weight = weight.data, args.norm_epsilon = norm.epsilon.data();
      args.sum = sum.data, args.skip_per_row = true;
    }
    EXPECT_EQ(0, PrepareScratch(plan, area.data, nullptr));
    EXPECT_EQ(0, LaunchSparseRow(plan, OnnxOf<T>::kDType, args, true, nullptr));
    result.ok = std::all_of(area.data, area.data + plan.scratch_bytes / 4,
                            [](uint32_t word) { return word == kEmpty; });
    if (normed) {
      std::vector<T> expected;
      std::vector<double> unused;
      norm.Reference(&expected, &unused);
      result.ok = result.ok && std::memcmp(expected.data(), sum.data, expected.size() * sizeof(T)) == 0;
    }
    return result;
  }

  void ExpectMatches(uint32_t seeds) const {
    SCOPED_TRACE(std::string(NameOf(OnnxOf<T>::kDType)) + ", " + std::to_string(Rows) + " rows of " +
                 std::to_string(Hidden) + " x " + std::to_string(mlp.intermediate));
    const auto a = reference::Activations<T>(mlp.Args());
    const auto kept = reference::Mask(mlp.Args(), a);
    const MlpResult<T> first = Run(1);
    EXPECT_TRUE(first.ok) << "the exchange area or the sum is not what it should be";
    EXPECT_LE(RelativeError(first.y, reference::Output<T>(mlp.Args(), a, kept)),
              (normed ? 2 : 1) * ToleranceOf(OnnxOf<T>::kDType));
    for (int64_t r = 0; r < Rows; ++r) {
      const auto begin = kept.begin() + r * mlp.intermediate;
      EXPECT_EQ(std::accumulate(begin, begin + mlp.intermediate, 0), first.active[static_cast<size_t>(r)]);
    }
    for (uint32_t seed = 2; seed <= seeds; ++seed) EXPECT_TRUE(first.SameBits(Run(seed))) << "order " << seed;
  }
};

template <class T, int Rows>
void ExpectEveryCaseMatches() {
  Emulated<T, 2048, Rows> gaps(70, true);
  gaps.mlp.ThresholdsInGaps(reference::Activations<T>(gaps.mlp.Args()));
  gaps.ExpectMatches(sizeof(T) == 4 ? 3 : 2);
  Emulated<T, 2048, Rows> none(66, true);
  none.mlp.threshold = {INFINITY};
  none.ExpectMatches(1);
  Emulated<T, 2048, Rows> normed(100, false);
  normed.WithNorm();
  normed.mlp.ThresholdsInGaps(reference::Activations<T>(normed.mlp.Args()), 0.05f);
  if (Rows > 1) normed.mlp.scale = {1.0f, 0.0f};
  normed.blocks = 38;
  normed.ExpectMatches(1);
  Emulated<T, 2048, Rows> apart = normed;
  apart.normed = false;
  EXPECT_TRUE(normed.Run(8).SameBits(apart.Run(9))) << "the norm inside has other bits than by itself";
}

TEST(EmulatedRow, OneRowEqualsTheReferenceInEveryFormat) {
  ExpectEveryCaseMatches<F32, 1>();
  ExpectEveryCaseMatches<F16, 1>();
  ExpectEveryCaseMatches<BF16, 1>();
}

TEST(EmulatedRow, TwoRowsEqualTheReferenceInEveryFormat) {
  ExpectEveryCaseMatches<F32, 2>();
  ExpectEveryCaseMatches<F16, 2>();
  ExpectEveryCaseMatches<BF16, 2>();
}

// Two rows that are the same have the bits of one, and a neuron that only one keeps adds nothing to the
// other.
template <class T>
void ExpectRowsApart() {
  Emulated<T, 2048, 1> one(70, false);
  one.mlp.threshold = {0.2f};
  Emulated<T, 2048, 2> two(70, false);
  two.mlp.threshold = {0.2f};
  for (int r = 0; r < 2; ++r) std::copy(one.mlp.x.begin(), one.mlp.x.end(), two.mlp.x.begin() + r * 2048);
  two.mlp.gate = one.mlp.gate, two.mlp.up = one.mlp.up, two.mlp.down = one.mlp.down;
  const auto alone = one.Run(3), both = two.Run(4);
  for (size_t r = 0; r < 2; ++r) {
    EXPECT_EQ(alone.active[0], both.active[r]);
    EXPECT_EQ(0, std::memcmp(alone.y.data(), both.y.data() + r * 2048, 2048 * sizeof(T))) << "row " << r;
  }
  Emulated<T, 2048, 2> apart(70, false);
  apart.mlp.threshold = {0.2f};
  const auto before = apart.Run(5);
  const auto kept = reference::Mask(apart.mlp.Args(), reference::Activations<T>(apart.mlp.Args()));
  bool found = false;
  for (size_t i = 0; i < 70; ++i) {
    if (kept[i] == 0 || kept[70 + i] != 0) continue;
    found = true;
    std::fill_n(apart.mlp.down.begin() + static_cast<int64_t>(i) * 2048, 2048, T::FromFloat(NAN));
    std::fill_n(apart.mlp.up.begin() + static_cast<int64_t>(i) * 2048, 2048, T::FromFloat(NAN));
  }
  ASSERT_TRUE(found);
  const auto after = apart.Run(6);
  EXPECT_TRUE(std::isnan(T::ToFloat(after.y[0])));
  EXPECT_EQ(0, std::memcmp(before.y.data() + 2048, after.y.data() + 2048, 2048 * sizeof(T)));
}

TEST(EmulatedRow, RowsHaveNothingToDoWithEachOther) {
  ExpectRowsApart<F32>();
  ExpectRowsApart<F16>();
}

TEST(EmulatedRow, AKernelThatWaitsForEverIsSeenTo) {
  EXPECT_THROW(emulator::Launch(
                   1, 64, 128,
                   [] {
                     if (threadIdx.x < 32) __syncthreads();
                   },
                   1, 50),
               std::runtime_error);
}

}  // namespace
}  // namespace cats::test
