// SPDX-License-Identifier: MIT
// Two rows of SparseGatedMlp in the fused kernel, below ONNX Runtime: the reference, guard bands, skipped
// rows never read, the bits of one row where both are the same. CATS_CUDA only.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <numeric>

#include "kernels/cuda/device.h"
#include "kernels/cuda/skip_rms_norm.h"
#include "kernels/cuda/sparse_row.h"
#include "support/cats_models.h"
#include "support/cuda_device.h"
#include "support/tolerances.h"

namespace cats::test {
namespace {

// A case in device memory, for the fused kernel.
template <class T>
struct FusedCase {
  static constexpr DType kDType = OnnxOf<T>::kDType;
  const MlpCase<T>& mlp;
  const DeviceBytes x, gate, up, down, gate_bias, up_bias, down_bias, threshold, scale;
  cuda::SparseRowPlan plan;

  explicit FusedCase(const MlpCase<T>& m)
      : mlp(m),
        x(m.x),
        gate(m.gate),
        up(m.up),
        down(m.down),
        gate_bias(m.gate_bias),
        up_bias(m.up_bias),
        down_bias(m.down_bias),
        threshold(m.threshold),
        scale(m.scale) {
    cuda::DeviceLimits limits;
    ThrowIfFailed(cuda::ReadDeviceLimits(0, &limits));
    plan = cuda::PlanSparseRow(limits, kDType, m.hidden, m.intermediate, true, m.rows);
    if (plan.fused) ThrowIfFailed(cuda::LoadSparseRow(plan, kDType, m.hidden));
  }

  cuda::SparseRowArgs Args() const {
    cuda::SparseRowArgs args{};
    args.x = x.data(), args.gate = gate.data(), args.up = up.data(), args.down = down.data();
    args.threshold = static_cast<const float*>(threshold.data());
    args.threshold_per_neuron = mlp.threshold.size() > 1;
    if (!mlp.scale.empty()) args.threshold_scale = static_cast<const float*>(scale.data());
    args.scale_per_row = mlp.scale.size() > 1;
    if (mlp.biases) {
      args.gate_bias = gate_bias.data(), args.up_bias = up_bias.data(), args.down_bias = down_bias.data();
    }
    args.hidden = mlp.hidden, args.intermediate = mlp.intermediate;
    return args;
  }

  // Every other launch overlaps with the one before it; the exchange area is filled before the first alone.
  MlpResult<T> Run(cuda::SparseRowArgs args, int launches = 1) const {
    MlpResult<T> result;
    DeviceBytes y(mlp.x.size() * sizeof(T)), active(static_cast<size_t>(mlp.rows) * 4);
    DeviceBytes scratch(plan.scratch_bytes);
    args.y = y.data(), args.active = static_cast<int32_t*>(active.data());
    args.exchange = static_cast<uint32_t*>(scratch.data());
    ThrowIfFailed(cuda::PrepareScratch(plan, args.exchange, nullptr));
    for (int launch = 0; launch < launches; ++launch) {
      ThrowIfFailed(cuda::LaunchSparseRow(plan, kDType, args, launch % 2 != 0, nullptr));
    }
    ThrowIfFailed(cudaDeviceSynchronize());
    result.y = y.template Host<T>();
    result.active = active.Host<int32_t>();
    result.ok = y.GuardsHold() && active.GuardsHold() && scratch.GuardsHold();
    return result;
  }
};

template <class T>
MlpCase<T> Part(const MlpCase<T>& mlp, const std::vector<int64_t>& rows) {
  MlpCase<T> part = mlp;
  part.rows = static_cast<int64_t>(rows.size());
  part.x.resize(rows.size() * static_cast<size_t>(mlp.hidden));
  part.scale.clear();
  for (size_t k = 0; k < rows.size(); ++k) {
    std::copy_n(mlp.x.begin() + rows[k] * mlp.hidden, mlp.hidden,
                part.x.begin() + static_cast<int64_t>(k) * mlp.hidden);
    if (!mlp.scale.empty()) {
      part.scale.push_back(mlp.scale[mlp.scale.size() > 1 ? static_cast<size_t>(rows[k]) : 0]);
    }
  }
  return part;
}

template <class T>
std::vector<T> RowOf(const MlpResult<T>& result, int64_t row, int64_t hidden) {
  return {result.y.begin() + row * hidden, result.y.begin() + (row + 1) * hidden};
}

template <class T>
bool SameRow(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
void ExpectTwoRowsMatch(int64_t hidden, int64_t intermediate, bool biases, std::vector<float> scale) {
  SCOPED_TRACE(std::string(NameOf(OnnxOf<T>::kDType)) + " " + std::to_string(hidden) + " x " +
               std::to_string(intermediate));
  MlpCase<T> mlp(2, hidden, intermediate, static_cast<uint32_t>(hidden + intermediate), biases);
  mlp.scale = std::move(scale);
  const auto a = reference::Activations<T>(mlp.Args());
  mlp.ThresholdsInGaps(a);
  const auto kept = reference::Mask(mlp.Args(), a);
  const FusedCase<T> two(mlp);
  if (!two.plan.fused) GTEST_SKIP() << "this device has no fused kernel of this size";
  const MlpResult<T> got = two.Run(two.Args());
  EXPECT_TRUE(got.ok) << "wrote outside of an array";
  EXPECT_LE(RelativeError(got.y, reference::Output<T>(mlp.Args(), a, kept)), ToleranceOf(OnnxOf<T>::kDType));
  for (int64_t r = 0; r < 2; ++r) {
    const auto begin = kept.begin() + r * intermediate;
    EXPECT_EQ(std::accumulate(begin, begin + intermediate, 0), got.active[static_cast<size_t>(r)])
        << "row " << r;
  }
  EXPECT_TRUE(got.SameBits(two.Run(two.Args(), 3))) << "a later launch on the same scratch differs";
  // The order of the sums depends on what any row keeps, not on which row is which.
  const MlpCase<T> swapped = Part(mlp, {1, 0});
  const FusedCase<T> other(swapped);
  const MlpResult<T> turned = other.Run(other.Args());
  EXPECT_TRUE(SameRow(RowOf(got, 0, hidden), RowOf(turned, 1, hidden)));
  EXPECT_TRUE(SameRow(RowOf(got, 1, hidden), RowOf(turned, 0, hidden)));
  // Where both rows are the same, the bits of that row alone.
  double apart = 0.0;
  for (int64_t r = 0; r < 2; ++r) {
    const MlpCase<T> alone = Part(mlp, {r}), twice = Part(mlp, {r, r});
    const FusedCase<T> one(alone), both(twice);
    const MlpResult<T> of_one = one.Run(one.Args()), of_both = both.Run(both.Args());
    EXPECT_TRUE(SameRow(of_one.y, RowOf(of_both, 0, hidden)) && SameRow(of_one.y, RowOf(of_both, 1, hidden)));
    EXPECT_EQ(of_one.active[0], got.active[static_cast<size_t>(r)]);
    std::vector<double> expected;
    for (T value : of_one.y) expected.push_back(static_cast<double>(T::ToFloat(value)));
    apart = std::max(apart, RelativeError(RowOf(got, r, hidden), expected));
  }
  std::printf(
      "%s %lld x %lld: two rows together and each alone are at most %.3g of the largest output apart\n",
      NameOf(OnnxOf<T>::kDType), static_cast<long long>(hidden), static_cast<long long>(intermediate), apart);
  EXPECT_LE(apart, ToleranceOf(OnnxOf<T>::kDType));
}

template <class T>
void ExpectEverySizeMatches() {
  ExpectTwoRowsMatch<T>(2048, 300, true, {});
  ExpectTwoRowsMatch<T>(2048, 5632, false, {0.5f});
  ExpectTwoRowsMatch<T>(3072, 1001, true, {1.0f, 0.0f});
}

TEST(CudaTwoRows, EqualTheReferenceInFloat) { ExpectEverySizeMatches<F32>(); }
TEST(CudaTwoRows, EqualTheReferenceInFloat16) {
  ExpectEverySizeMatches<F16>();
  ExpectTwoRowsMatch<F16>(4096, 3000, false, {});
  ExpectTwoRowsMatch<F16>(5120, 700, true, {});
  ExpectTwoRowsMatch<F16>(6144, 140, false, {0.7f, 1.3f});
}
TEST(CudaTwoRows, EqualTheReferenceInBfloat16) {
  ExpectEverySizeMatches<BF16>();
  ExpectTwoRowsMatch<BF16>(4096, 1500, true, {});
}

// NaN in the up and down rows of a neuron that one row skips and the other keeps shows in the second only.
template <class T>
void ExpectNaNStaysInItsRow() {
  constexpr int64_t kHidden = 2048, kNeurons = 500;
  MlpCase<T> mlp(2, kHidden, kNeurons, 5);
  mlp.ThresholdsInGaps(reference::Activations<T>(mlp.Args()));
  const auto kept = reference::Mask(mlp.Args(), reference::Activations<T>(mlp.Args()));
  const FusedCase<T> clean(mlp);
  if (!clean.plan.fused) GTEST_SKIP() << "this device has no fused kernel";
  const auto before = clean.Run(clean.Args());
  int64_t poisoned = -1;
  for (int64_t i = 0; i < kNeurons; ++i) {
    const bool first = kept[static_cast<size_t>(i)] != 0,
               second = kept[static_cast<size_t>(kNeurons + i)] != 0;
    if (first && !second) poisoned = i;
    if (first || second) continue;
    std::fill_n(mlp.up.begin() + i * kHidden, kHidden, T::FromFloat(NAN));
    std::fill_n(mlp.down.begin() + i * kHidden, kHidden, T::FromFloat(NAN));
  }
  const FusedCase<T> skipped(mlp);
  EXPECT_TRUE(before.SameBits(skipped.Run(skipped.Args()))) << "a skipped row shows";
  ASSERT_GE(poisoned, 0);
  std::fill_n(mlp.up.begin() + poisoned * kHidden, kHidden, T::FromFloat(NAN));
  std::fill_n(mlp.down.begin() + poisoned * kHidden, kHidden, T::FromFloat(NAN));
  const FusedCase<T> poison(mlp);
  const auto after = poison.Run(poison.Args());
  EXPECT_TRUE(SameRow(RowOf(before, 1, kHidden), RowOf(after, 1, kHidden)))
      << "the row that skips it has other bits";
  for (T value : RowOf(after, 0, kHidden)) EXPECT_TRUE(std::isnan(T::ToFloat(value)));
  mlp = MlpCase<T>(2, kHidden, kNeurons, 5);
  mlp.threshold = {0.1f};
  mlp.x[7] = T::FromFloat(NAN);
  const FusedCase<T> in_x(mlp);
  const auto shown = in_x.Run(in_x.Args());
  EXPECT_EQ(shown.active[0], kNeurons);
  for (T value : RowOf(shown, 0, kHidden)) EXPECT_TRUE(std::isnan(T::ToFloat(value)));
  for (T value : RowOf(shown, 1, kHidden)) EXPECT_FALSE(std::isnan(T::ToFloat(value)));
}

TEST(CudaTwoRows, ANeuronThatARowSkipsAddsNothingToItNotEvenNaN) {
  ExpectNaNStaysInItsRow<F32>();
  ExpectNaNStaysInItsRow<F16>();
  ExpectNaNStaysInItsRow<BF16>();
}

template <class T>
void ExpectTheNormInsideHasTheSameBits(int64_t hidden, int64_t skip_rows) {
  const NormCase<T> norm(2, hidden, skip_rows, 3);
  MlpCase<T> mlp(2, hidden, 700, 4);
  mlp.threshold = {0.2f};
  const FusedCase<T> fused(mlp);
  if (!fused.plan.fused) GTEST_SKIP() << "this device has no fused kernel of this size";
  const DeviceBytes x(norm.x), skip(norm.skip), weight(norm.weight), epsilon(norm.epsilon);
  const DeviceBytes normed(norm.x.size() * sizeof(T)), sum(normed.size()), sum_inside(normed.size());
  SkipRmsNormArgs apart = norm.Args();
  apart.x = x.data(), apart.skip = skip.data(), apart.weight = weight.data();
  apart.epsilon = static_cast<const float*>(epsilon.data());
  apart.sum = sum.data(), apart.y = normed.data();
  ThrowIfFailed(cuda::LoadSkipRmsNorm(OnnxOf<T>::kDType));
  ThrowIfFailed(cuda::LaunchSkipRmsNorm(OnnxOf<T>::kDType, apart, nullptr));
  cuda::SparseRowArgs args = fused.Args();
  args.x = normed.data();
  const MlpResult<T> expected = fused.Run(args);
  args.x = x.data(), args.skip = skip.data(), args.norm_weight = weight.data();
  args.norm_epsilon = static_cast<const float*>(epsilon.data()), args.sum = sum_inside.data();
  args.skip_per_row = skip_rows == 2;
  EXPECT_TRUE(expected.SameBits(fused.Run(args, 2))) << NameOf(OnnxOf<T>::kDType) << " " << hidden;
  EXPECT_TRUE(SameRow(sum.template Host<T>(), sum_inside.template Host<T>()));
}

TEST(CudaTwoRows, TheNormInsideHasTheBitsOfTheKernelByItself) {
  for (int64_t skip_rows : {1, 2}) {
    ExpectTheNormInsideHasTheSameBits<F32>(2048, skip_rows);
    ExpectTheNormInsideHasTheSameBits<F16>(4096, skip_rows);
    ExpectTheNormInsideHasTheSameBits<BF16>(5120, skip_rows);
  }
}

TEST(CudaTwoRows, HaveTheSameBitsInAThousandRuns) {
  MlpCase<F16> mlp(2, 4096, 11008, 3);
  mlp.threshold = {0.2f};
  const FusedCase<F16> fused(mlp);
  if (!fused.plan.fused) GTEST_SKIP() << "this device has no fused kernel";
  const auto first = fused.Run(fused.Args());
  int different = 0;
  for (int run = 0; run < 500; ++run) different += first.SameBits(fused.Run(fused.Args(), 2)) ? 0 : 1;
  EXPECT_EQ(0, different) << "of 500 pairs of runs";
}

}  // namespace
}  // namespace cats::test
