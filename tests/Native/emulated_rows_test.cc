// SPDX-License-Identifier: MIT
// The CUDA kernels for several rows on the emulator, the one with bulk copies and those for every size:
// results, counts, a row's bits as if it were alone, the same bits in every order of their threads.
#include <gtest/gtest.h>

#include <numeric>

#include "cuda_runtime.h"
#include "kernels/cuda/sparse_row.h"
#include "kernels/cuda/sparse_rows.h"
#include "support/cats_models.h"
#include "support/tolerances.h"

namespace cats::test {
namespace {

using namespace cuda;

enum class Kernels { kBulk, kAligned, kAnyAddress };

template <class T>
MlpResult<T> Run(GatedMlpArgs args, Kernels kernels, uint32_t seed) {
  constexpr DType kDType = OnnxOf<T>::kDType;
  const size_t bytes = SparseRowsScratchBytes(kDType, args.rows, args.intermediate, args.hidden);
  constexpr size_t kGuards = 16;
  std::vector<uint4> room((bytes + kGuards * 4 + 15) / 16, make_uint4(~0u, ~0u, ~0u, ~0u));
  auto* const scratch = reinterpret_cast<uint32_t*>(room.data());  // nobody may count on zeros
  MlpResult<T> result;
  result.y.resize(static_cast<size_t>(args.rows * args.hidden));
  result.active.assign(static_cast<size_t>(args.rows), -1);
  args.y = result.y.data(), args.active = result.active.data(), args.scratch = scratch;
  emulator::device = {2, kernels == Kernels::kBulk ? 9 : 8};
  emulator::seed = seed;
  DeviceLimits limits;
  EXPECT_EQ(0, ReadDeviceLimits(0, &limits));
  EXPECT_EQ(kernels == Kernels::kBulk,
            HasBulkRows(limits, kDType, args.hidden, args.intermediate, kernels != Kernels::kAnyAddress));
  EXPECT_EQ(0, LoadSparseRows(limits, kDType));
  EXPECT_EQ(0, LaunchSparseRows(limits, kDType, args, kernels == Kernels::kBulk, nullptr));
  const uint32_t* const guards = scratch + bytes / 4;
  result.ok = std::all_of(guards, guards + kGuards, [](uint32_t word) { return word == ~0u; });
  return result;
}

// Where the kernels that ask for multiples of 16 bytes may read them, else one element behind that.
template <class T>
struct Placed {
  std::vector<std::vector<T>> room;
  GatedMlpArgs args;

  Placed(const MlpCase<T>& mlp, bool aligned) : args(mlp.Args()) {
    const auto place = [&](const void* values, int64_t count) -> const void* {
      room.emplace_back(static_cast<size_t>(count) + 32 / sizeof(T) + 1);
      T* to = room.back().data();
      while (reinterpret_cast<uintptr_t>(to) % 16 != 0) ++to;
      if (!aligned) ++to;
      std::memcpy(to, values, static_cast<size_t>(count) * sizeof(T));
      return to;
    };
    const int64_t weights = args.intermediate * args.hidden;
    args.x = place(args.x, args.rows * args.hidden);
    args.gate = place(args.gate, weights), args.up = place(args.up, weights);
    args.down = place(args.down, weights);
  }

  GatedMlpArgs Row(int64_t r) const {
    GatedMlpArgs row = args;
    row.rows = 1;
    row.x = static_cast<const T*>(args.x) + r * args.hidden;
    if (args.scale_per_row) row.threshold_scale += r;
    row.scale_per_row = false;
    return row;
  }
};

template <class T>
void ExpectMatches(Kernels kernels, int64_t rows, int64_t hidden, int64_t intermediate, bool biases) {
  SCOPED_TRACE(std::string(NameOf(OnnxOf<T>::kDType)) + ", " + std::to_string(rows) + " rows of " +
               std::to_string(hidden) + " x " + std::to_string(intermediate));
  MlpCase<T> mlp(rows, hidden, intermediate, static_cast<uint32_t>(3 + rows), biases);
  if (hidden < 1000) mlp.WithoutCancellation();
  const auto activations = reference::Activations<T>(mlp.Args());
  mlp.ThresholdsInGaps(activations);
  if (rows > 1) {
    for (int64_t r = 0; r < rows; ++r) mlp.scale.push_back(r % 4 == 3 ? 0.0f : 1.0f);
  }
  const auto kept = reference::Mask(mlp.Args(), activations);
  const Placed<T> placed(mlp, kernels != Kernels::kAnyAddress);
  const MlpResult<T> got = Run<T>(placed.args, kernels, 1);
  EXPECT_TRUE(got.ok) << "wrote behind its scratch";
  EXPECT_LE(RelativeError(got.y, reference::Output<T>(mlp.Args(), activations, kept)),
            ToleranceOf(OnnxOf<T>::kDType));
  for (int64_t r = 0; r < rows; ++r) {
    const auto begin = kept.begin() + r * intermediate;
    EXPECT_EQ(std::accumulate(begin, begin + intermediate, 0), got.active[static_cast<size_t>(r)]);
  }
  EXPECT_TRUE(got.SameBits(Run<T>(placed.args, kernels, 2))) << "another order, other bits";
  const int64_t last = rows - 1;
  const MlpResult<T> alone = Run<T>(placed.Row(last), kernels, 3);
  EXPECT_EQ(got.active.back(), alone.active[0]);
  EXPECT_EQ(
      0, std::memcmp(alone.y.data(), got.y.data() + last * hidden, static_cast<size_t>(hidden) * sizeof(T)))
      << "the last row has other bits than alone";
}

template <class T>
void ExpectBulkCopiesMatch() {
  for (int64_t rows : {1, 2, 3, 8, 9}) ExpectMatches<T>(Kernels::kBulk, rows, 2048, 133, rows != 3);
}

TEST(EmulatedRows, WithBulkCopiesEqualTheReference) {
  ExpectBulkCopiesMatch<F16>();
  ExpectBulkCopiesMatch<BF16>();
}

template <class T>
void ExpectEverySizeMatches() {
  for (int64_t rows : {1, 2, 3, 8}) {
    ExpectMatches<T>(Kernels::kAligned, rows, 264, 37, true);
    ExpectMatches<T>(Kernels::kAnyAddress, rows, 101, 19, false);
  }
}

TEST(EmulatedRows, OfEverySizeEqualTheReference) {
  ExpectEverySizeMatches<F32>();
  ExpectEverySizeMatches<F16>();
  ExpectEverySizeMatches<BF16>();
}

// A neuron whose rows hold NaN shows in the rows of x that keep it and in no other.
template <class T>
void ExpectNaNStaysInItsRow(Kernels kernels, int64_t hidden) {
  constexpr int64_t kNeurons = 40;
  MlpCase<T> mlp(2, hidden, kNeurons, 5);
  mlp.ThresholdsInGaps(reference::Activations<T>(mlp.Args()));
  const auto kept = reference::Mask(mlp.Args(), reference::Activations<T>(mlp.Args()));
  const MlpResult<T> before = Run<T>(Placed<T>(mlp, true).args, kernels, 1);
  bool found = false;
  for (int64_t i = 0; i < kNeurons; ++i) {
    if (kept[static_cast<size_t>(kNeurons + i)] != 0) continue;
    found = found || kept[static_cast<size_t>(i)] != 0;
    std::fill_n(mlp.up.begin() + i * hidden, hidden, T::FromFloat(NAN));
    std::fill_n(mlp.down.begin() + i * hidden, hidden, T::FromFloat(NAN));
  }
  ASSERT_TRUE(found);
  const MlpResult<T> after = Run<T>(Placed<T>(mlp, true).args, kernels, 2);
  for (int64_t j = 0; j < hidden; ++j) EXPECT_TRUE(std::isnan(T::ToFloat(after.y[static_cast<size_t>(j)])));
  EXPECT_EQ(0, std::memcmp(before.y.data() + hidden, after.y.data() + hidden,
                           static_cast<size_t>(hidden) * sizeof(T)));
}

TEST(EmulatedRows, ANeuronThatARowSkipsAddsNothingToItNotEvenNaN) {
  ExpectNaNStaysInItsRow<F16>(Kernels::kBulk, 2048);
  ExpectNaNStaysInItsRow<BF16>(Kernels::kBulk, 2048);
  ExpectNaNStaysInItsRow<F32>(Kernels::kAligned, 264);
  ExpectNaNStaysInItsRow<F16>(Kernels::kAligned, 264);
}

}  // namespace
}  // namespace cats::test
