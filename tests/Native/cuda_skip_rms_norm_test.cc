// SPDX-License-Identifier: MIT
// The residual addition and RMS norm on the GPU, below ONNX Runtime: against double sums, within guard bands;
// in the fused kernel for one row the same bits as by its own kernel before it. CATS_CUDA only.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include "kernels/cuda/device.h"
#include "kernels/cuda/skip_rms_norm.h"
#include "kernels/cuda/sparse_row.h"
#include "kernels/cuda/sparse_rows.h"
#include "support/cats_models.h"
#include "support/cuda_device.h"
#include "support/tolerances.h"

namespace cats::test {
namespace {

// shift: of x, in elements, so that the rows lie at no multiple of 16 bytes.
template <class T>
void ExpectNormMatches(int64_t rows, int64_t hidden, int64_t skip_rows, int64_t shift) {
  SCOPED_TRACE(std::string(NameOf(OnnxOf<T>::kDType)) + " " + std::to_string(rows) + " x " +
               std::to_string(hidden) + ", skip of " + std::to_string(skip_rows) + ", shifted by " +
               std::to_string(shift));
  const NormCase<T> norm(rows, hidden, skip_rows, 5);
  std::vector<T> expected_sum, shifted(norm.x.size() + static_cast<size_t>(shift));
  std::vector<double> expected;
  norm.Reference(&expected_sum, &expected);
  std::copy(norm.x.begin(), norm.x.end(), shifted.begin() + shift);
  const DeviceBytes x(shifted), skip(norm.skip), weight(norm.weight), epsilon(norm.epsilon);
  const DeviceBytes sum(norm.x.size() * sizeof(T)), y(norm.x.size() * sizeof(T)), again(y.size());
  ThrowIfFailed(cuda::LoadSkipRmsNorm(OnnxOf<T>::kDType));
  SkipRmsNormArgs args = norm.Args();
  args.x = static_cast<const T*>(x.data()) + shift;
  args.skip = skip.data(), args.weight = weight.data();
  args.epsilon = static_cast<const float*>(epsilon.data());
  args.sum = sum.data(), args.y = y.data();
  ThrowIfFailed(cuda::LaunchSkipRmsNorm(OnnxOf<T>::kDType, args, nullptr));
  args.sum = nullptr, args.y = again.data();
  ThrowIfFailed(cuda::LaunchSkipRmsNorm(OnnxOf<T>::kDType, args, nullptr));
  ThrowIfFailed(cudaDeviceSynchronize());
  EXPECT_TRUE(sum.GuardsHold() && y.GuardsHold() && again.GuardsHold()) << "wrote outside of an array";
  EXPECT_EQ(0, std::memcmp(sum.Host<T>().data(), expected_sum.data(), sum.size()));
  EXPECT_EQ(0, std::memcmp(y.Host<T>().data(), again.Host<T>().data(), y.size())) << "a second run differs";
  EXPECT_LE(RelativeError(y.Host<T>(), expected), ToleranceOf(OnnxOf<T>::kDType));
}

template <class T>
void ExpectEveryNormMatches() {
  for (int64_t hidden : {1, 37, 100, 2048, 4096, 4100, 5120}) {
    ExpectNormMatches<T>(1, hidden, 1, 0);
    ExpectNormMatches<T>(6, hidden, 3, 0);
    ExpectNormMatches<T>(5, hidden, 1, 1);
  }
}

TEST(CudaSkipRmsNorm, EqualsDoubleSumsInFloat) { ExpectEveryNormMatches<F32>(); }
TEST(CudaSkipRmsNorm, EqualsDoubleSumsInFloat16) { ExpectEveryNormMatches<F16>(); }
TEST(CudaSkipRmsNorm, EqualsDoubleSumsInBfloat16) { ExpectEveryNormMatches<BF16>(); }

// One row, once with the norm in the fused kernel and once with the norm's kernel before it.
template <class T>
void ExpectFusedHasTheSameBits(int64_t hidden, int64_t intermediate, int runs) {
  constexpr DType dtype = OnnxOf<T>::kDType;
  SCOPED_TRACE(std::string(NameOf(dtype)) + " " + std::to_string(hidden) + " x " +
               std::to_string(intermediate));
  cuda::DeviceLimits limits;
  ThrowIfFailed(cuda::ReadDeviceLimits(0, &limits));
  const auto plan = cuda::PlanSparseRow(limits, dtype, hidden, intermediate, true);
  if (!plan.fused) GTEST_SKIP() << "this device has no fused kernel of this size";
  ThrowIfFailed(cuda::LoadSparseGatedMlp(dtype, 0));
  const NormCase<T> norm(1, hidden, 1, 7);
  const MlpCase<T> mlp(1, hidden, intermediate, 9);
  const DeviceBytes x(norm.x), skip(norm.skip), weight(norm.weight), epsilon(norm.epsilon);
  const DeviceBytes gate(mlp.gate), up(mlp.up), down(mlp.down), threshold(std::vector<float>{0.2f});
  const size_t bytes = static_cast<size_t>(hidden) * sizeof(T);
  const DeviceBytes normed(bytes), scratch(plan.scratch_bytes);
  DeviceBytes sum[2] = {DeviceBytes(bytes), DeviceBytes(bytes)},
              y[2] = {DeviceBytes(bytes), DeviceBytes(bytes)};
  DeviceBytes active[2] = {DeviceBytes(4), DeviceBytes(4)};
  cuda::SparseRowArgs args{};
  args.gate = gate.data(), args.up = up.data(), args.down = down.data();
  args.threshold = static_cast<const float*>(threshold.data());
  args.exchange = static_cast<uint32_t*>(scratch.data());
  args.hidden = hidden, args.intermediate = intermediate;
  SkipRmsNormArgs apart = norm.Args();
  apart.x = x.data(), apart.skip = skip.data(), apart.weight = weight.data();
  apart.epsilon = static_cast<const float*>(epsilon.data());
  apart.sum = sum[0].data(), apart.y = normed.data();
  ThrowIfFailed(cuda::LaunchSkipRmsNorm(dtype, apart, nullptr));
  args.x = normed.data(), args.y = y[0].data(), args.active = static_cast<int32_t*>(active[0].data());
  ThrowIfFailed(cuda::PrepareScratch(plan, args.exchange, nullptr));
  ThrowIfFailed(cuda::LaunchSparseRow(plan, dtype, args, false, nullptr));
  args.x = x.data(), args.skip = skip.data(), args.norm_weight = weight.data();
  args.norm_epsilon = static_cast<const float*>(epsilon.data());
  args.y = y[1].data(), args.active = static_cast<int32_t*>(active[1].data());
  int different = 0;
  for (int run = 0; run < runs; ++run) {
    args.sum = run % 4 == 3 ? nullptr : sum[1].data();  // nobody needs to want it
    ThrowIfFailed(cuda::LaunchSparseRow(plan, dtype, args, run % 2 != 0, nullptr));
    ThrowIfFailed(cudaDeviceSynchronize());
    const bool same = std::memcmp(y[0].Host<T>().data(), y[1].Host<T>().data(), bytes) == 0 &&
                      active[0].Host<int32_t>() == active[1].Host<int32_t>() &&
                      std::memcmp(sum[0].Host<T>().data(), sum[1].Host<T>().data(), bytes) == 0;
    different += same ? 0 : 1;
  }
  EXPECT_EQ(0, different) << "of " << runs << " runs";
  const int32_t kept = active[0].Host<int32_t>()[0];
  EXPECT_TRUE(kept > 0 && kept < intermediate) << kept;
  for (int k = 0; k < 2; ++k) EXPECT_TRUE(sum[k].GuardsHold() && y[k].GuardsHold() && scratch.GuardsHold());
}

template <class T>
void ExpectEveryFusedSizeHasTheSameBits() {
  for (int64_t hidden : {2048, 3072, 4096, 5120, 6144, 8192}) ExpectFusedHasTheSameBits<T>(hidden, 700, 4);
}

TEST(CudaSkipRmsNorm, InTheFusedKernelHasTheBitsOfTheKernelByItselfInFloat) {
  for (int64_t hidden : {2048, 3072, 4096, 5120}) ExpectFusedHasTheSameBits<F32>(hidden, 700, 4);
}
TEST(CudaSkipRmsNorm, InTheFusedKernelHasTheBitsOfTheKernelByItselfInFloat16) {
  ExpectEveryFusedSizeHasTheSameBits<F16>();
}
TEST(CudaSkipRmsNorm, InTheFusedKernelHasTheBitsOfTheKernelByItselfInBfloat16) {
  ExpectEveryFusedSizeHasTheSameBits<BF16>();
}
TEST(CudaSkipRmsNorm, HasTheSameBitsInAThousandRuns) { ExpectFusedHasTheSameBits<F16>(4096, 11008, 1000); }

// Several rows whose kernels begin while the norm's runs; x is other data each time, so that a kernel which
// did not wait would show the run before.
template <class T>
void ExpectRowsWaitForTheNorm(int64_t rows, int64_t hidden, int64_t intermediate) {
  constexpr DType dtype = OnnxOf<T>::kDType;
  SCOPED_TRACE(std::string(NameOf(dtype)) + " " + std::to_string(rows) + " x " + std::to_string(hidden));
  cuda::DeviceLimits limits;
  ThrowIfFailed(cuda::ReadDeviceLimits(0, &limits));
  ThrowIfFailed(cuda::LoadSparseGatedMlp(dtype, 0));
  const MlpCase<T> mlp(rows, hidden, intermediate, 9);
  const DeviceBytes gate(mlp.gate), up(mlp.up), down(mlp.down), threshold(std::vector<float>{0.2f});
  const DeviceBytes normed(mlp.x.size() * sizeof(T)), y(mlp.x.size() * sizeof(T));
  const DeviceBytes scratch(cuda::SparseRowsScratchBytes(dtype, rows, intermediate, hidden));
  GatedMlpArgs args{};
  args.rows = rows, args.hidden = hidden, args.intermediate = intermediate;
  args.x = normed.data(), args.gate = gate.data(), args.up = up.data(), args.down = down.data();
  args.threshold = static_cast<const float*>(threshold.data());
  args.y = y.data(), args.scratch = scratch.data();
  int different = 0;
  for (uint32_t run = 0; run < 40; ++run) {
    const NormCase<T> norm(rows, hidden, rows, run);
    const DeviceBytes x(norm.x), skip(norm.skip), weight(norm.weight), epsilon(norm.epsilon);
    SkipRmsNormArgs before = norm.Args();
    before.x = x.data(), before.skip = skip.data(), before.weight = weight.data();
    before.epsilon = static_cast<const float*>(epsilon.data()), before.y = normed.data();
    ThrowIfFailed(cuda::LaunchSkipRmsNorm(dtype, before, nullptr));
    ThrowIfFailed(cuda::LaunchSparseRows(limits, dtype, args, true, nullptr));
    ThrowIfFailed(cudaDeviceSynchronize());
    const auto overlapped = y.Host<T>();
    ThrowIfFailed(cuda::LaunchSparseRows(limits, dtype, args, false, nullptr));
    ThrowIfFailed(cudaDeviceSynchronize());
    different += std::memcmp(overlapped.data(), y.Host<T>().data(), y.size()) == 0 ? 0 : 1;
  }
  EXPECT_EQ(0, different) << "of 40 runs";
  EXPECT_TRUE(y.GuardsHold() && scratch.GuardsHold() && normed.GuardsHold());
}

TEST(CudaSkipRmsNorm, SeveralRowsBeginWhileItRunsAndWaitForIt) {
  for (int64_t rows : {2, 8}) {
    ExpectRowsWaitForTheNorm<F16>(rows, 4096, 1500);
    ExpectRowsWaitForTheNorm<BF16>(rows, 2048, 700);
    ExpectRowsWaitForTheNorm<F32>(rows, 2048, 300);
    ExpectRowsWaitForTheNorm<F16>(rows, 100, 70);
  }
}

}  // namespace
}  // namespace cats::test
