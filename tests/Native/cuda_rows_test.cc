// SPDX-License-Identifier: MIT
// Several rows of SparseGatedMlp on the GPU, below ONNX Runtime: the reference, each row as if it were alone,
// guard bands, skipped rows never read. CATS_CUDA only.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <numeric>

#include "kernels/cuda/device.h"
#include "kernels/cuda/sparse_row.h"
#include "kernels/cuda/sparse_rows.h"
#include "support/cuda_device.h"
#include "support/mlp_case.h"
#include "support/tolerances.h"

namespace cats::test {
namespace {

template <class T>
constexpr DType kDTypeOf = sizeof(T) == 4           ? DType::kF32
                           : std::is_same_v<T, F16> ? DType::kF16
                                                    : DType::kBF16;

// Loads the kernels of this format too.
template <class T>
const cuda::DeviceLimits& Limits() {
  static const cuda::DeviceLimits limits = [] {
    cuda::DeviceLimits read;
    ThrowIfFailed(cuda::ReadDeviceLimits(0, &read));
    ThrowIfFailed(cuda::LoadSparseRows(read, kDTypeOf<T>));
    return read;
  }();
  return limits;
}

// The case in device memory; outputs and scratch between guard bands.
template <class T>
struct DeviceCase {
  MlpCase<T>& mlp;
  DeviceBytes x, gate, up, down, gate_bias, up_bias, down_bias, threshold, scale;

  explicit DeviceCase(MlpCase<T>& m)
      : mlp(m),
        x(m.x),
        gate(m.gate),
        up(m.up),
        down(m.down),
        gate_bias(m.gate_bias),
        up_bias(m.up_bias),
        down_bias(m.down_bias),
        threshold(m.threshold),
        scale(m.scale) {}

  GatedMlpArgs Args() const {
    GatedMlpArgs args = mlp.Args();
    args.x = x.data();
    args.gate = gate.data();
    args.up = up.data();
    args.down = down.data();
    args.threshold = static_cast<const float*>(threshold.data());
    if (args.threshold_scale != nullptr) args.threshold_scale = static_cast<const float*>(scale.data());
    if (args.gate_bias != nullptr) {
      args.gate_bias = gate_bias.data();
      args.up_bias = up_bias.data();
      args.down_bias = down_bias.data();
    }
    return args;
  }

  MlpResult<T> Run(GatedMlpArgs args) const {
    MlpResult<T> result;
    DeviceBytes y(static_cast<size_t>(args.rows * args.hidden) * sizeof(T));
    DeviceBytes active(static_cast<size_t>(args.rows) * sizeof(int32_t));
    DeviceBytes scratch(SparseRowsScratch(args));
    args.y = y.data();
    args.active = static_cast<int32_t*>(active.data());
    args.scratch = scratch.data();
    ThrowIfFailed(cuda::LaunchSparseRows(Limits<T>(), kDTypeOf<T>, args, false, nullptr));
    ThrowIfFailed(cudaDeviceSynchronize());
    result.y = y.template Host<T>();
    result.active = active.Host<int32_t>();
    result.ok = y.GuardsHold() && active.GuardsHold() && scratch.GuardsHold();
    return result;
  }

  static size_t SparseRowsScratch(const GatedMlpArgs& args) {
    return cuda::SparseRowsScratchBytes(kDTypeOf<T>, args.rows, args.intermediate, args.hidden);
  }

  // The row by itself.
  GatedMlpArgs RowOf(GatedMlpArgs args, int64_t row) const {
    args.rows = 1;
    args.x = static_cast<const T*>(args.x) + row * args.hidden;
    if (args.scale_per_row) args.threshold_scale += row;
    args.scale_per_row = false;
    return args;
  }
};

template <class T>
void ExpectMatches(int64_t rows, int64_t hidden, int64_t intermediate, bool biases) {
  SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(hidden) + " x " + std::to_string(intermediate));
  MlpCase<T> mlp(rows, hidden, intermediate, static_cast<uint32_t>(7 + rows), biases);
  if (intermediate < 100) mlp.WithoutCancellation();
  const auto activations = reference::Activations<T>(mlp.Args());
  mlp.ThresholdsInGaps(activations);
  if (rows > 1) {
    for (int64_t r = 0; r < rows; ++r) mlp.scale.push_back(r % 4 == 3 ? 0.0f : 1.0f);
  }
  const auto kept = reference::Mask(mlp.Args(), activations);
  const auto expected = reference::Output<T>(mlp.Args(), activations, kept);
  const DeviceCase<T> device(mlp);
  const MlpResult<T> got = device.Run(device.Args());
  EXPECT_TRUE(got.ok) << "wrote outside of an array";
  EXPECT_LE(RelativeError(got.y, expected), ToleranceOf(kDTypeOf<T>));
  for (int64_t r = 0; r < rows; ++r) {
    const auto begin = kept.begin() + r * intermediate;
    EXPECT_EQ(std::accumulate(begin, begin + intermediate, 0), got.active[static_cast<size_t>(r)]);
    const MlpResult<T> alone = device.Run(device.RowOf(device.Args(), r));
    EXPECT_EQ(0,
              std::memcmp(alone.y.data(), got.y.data() + r * hidden, static_cast<size_t>(hidden) * sizeof(T)))
        << "row " << r << " differs from itself alone";
    EXPECT_EQ(alone.active[0], got.active[static_cast<size_t>(r)]);
  }
  EXPECT_TRUE(got.SameBits(device.Run(device.Args()))) << "a second run differs";
}

template <class T>
void ExpectEverySizeMatches() {
  for (int64_t rows : {1, 2, 3, 4, 5, 8, 9, 19}) {
    ExpectMatches<T>(rows, 1, 1, true);
    ExpectMatches<T>(rows, 37, 50, true);
    ExpectMatches<T>(rows, 64, 129, false);
    ExpectMatches<T>(rows, 256, 700, true);
    ExpectMatches<T>(rows, 1032, 300, false);
    ExpectMatches<T>(rows, 72, 40000, false);  // more neurons in a part than shared memory holds at a time
  }
}

TEST(CudaRows, EveryRowEqualsTheReferenceAndItselfAloneInFloat) { ExpectEverySizeMatches<F32>(); }
TEST(CudaRows, EveryRowEqualsTheReferenceAndItselfAloneInFloat16) { ExpectEverySizeMatches<F16>(); }
TEST(CudaRows, EveryRowEqualsTheReferenceAndItselfAloneInBfloat16) { ExpectEverySizeMatches<BF16>(); }

// Sizes whose first kernel fetches rows by bulk copies.
template <class T>
void ExpectBulkSizesMatch() {
  for (int64_t rows : {1, 2, 5, 8, 11}) {
    ExpectMatches<T>(rows, 2048, 300, true);
    ExpectMatches<T>(rows, 3072, 1001, false);
  }
  ExpectMatches<T>(3, 4096, 1500, true);
  ExpectMatches<T>(8, 5120, 140, false);
  ExpectMatches<T>(2, 6144, 270, true);
  ExpectMatches<T>(8, 2048, 11008, true);  // more tasks of a block than are on their way at a time
}

TEST(CudaRows, FetchedByBulkCopiesEqualTheReferenceAndThemselvesAloneInFloat16) {
  ExpectBulkSizesMatch<F16>();
}
TEST(CudaRows, FetchedByBulkCopiesEqualTheReferenceAndThemselvesAloneInBfloat16) {
  ExpectBulkSizesMatch<BF16>();
}

// NaN in the up and down rows of a neuron that one row skips and another keeps shows in the second only.
template <class T>
void ExpectNaNStaysInItsRow(int64_t hidden, int64_t neurons) {
  SCOPED_TRACE(std::string(NameOf(kDTypeOf<T>)) + ", " + std::to_string(hidden));
  MlpCase<T> mlp(3, hidden, neurons, 5);
  mlp.ThresholdsInGaps(reference::Activations<T>(mlp.Args()));
  const auto kept = reference::Mask(mlp.Args(), reference::Activations<T>(mlp.Args()));
  const auto keeps = [&](int64_t row, int64_t i) {
    return kept[static_cast<size_t>(row * neurons + i)] != 0;
  };
  const auto before = DeviceCase<T>(mlp).Run(DeviceCase<T>(mlp).Args());
  int64_t poisoned = -1;
  for (int64_t i = 0; i < neurons; ++i) {
    if (keeps(0, i) != keeps(1, i)) poisoned = i;
    if (keeps(0, i) || keeps(1, i) || keeps(2, i)) continue;
    std::fill_n(mlp.up.begin() + i * hidden, hidden, T::FromFloat(NAN));
    std::fill_n(mlp.down.begin() + i * hidden, hidden, T::FromFloat(NAN));
  }
  EXPECT_TRUE(before.SameBits(DeviceCase<T>(mlp).Run(DeviceCase<T>(mlp).Args()))) << "a skipped row shows";
  ASSERT_GE(poisoned, 0);
  std::fill_n(mlp.down.begin() + poisoned * hidden, hidden, T::FromFloat(NAN));
  const auto after = DeviceCase<T>(mlp).Run(DeviceCase<T>(mlp).Args());
  for (int64_t r = 0; r < 3; ++r) {
    const size_t at = static_cast<size_t>(r * hidden);
    EXPECT_EQ(keeps(r, poisoned), std::isnan(T::ToFloat(after.y[at]))) << "row " << r;
    if (keeps(r, poisoned)) continue;
    EXPECT_EQ(0, std::memcmp(&before.y[at], &after.y[at], static_cast<size_t>(hidden) * sizeof(T)))
        << "row " << r << " has other bits";
  }
}

TEST(CudaRows, ANeuronThatARowSkipsAddsNothingToItNotEvenNaN) {
  for (int64_t hidden : {256, 250, 2048}) {
    ExpectNaNStaysInItsRow<F32>(hidden, 264);
    ExpectNaNStaysInItsRow<F16>(hidden, 264);
    ExpectNaNStaysInItsRow<BF16>(hidden, 264);
  }
}

// The fused kernel adds in another order: how far apart they are, and that both keep the same neurons.
template <class T>
void ExpectCloseToFused() {
  MlpCase<T> mlp(8, 2048, 1320, 11);
  mlp.ThresholdsInGaps(reference::Activations<T>(mlp.Args()));
  const DeviceCase<T> device(mlp);
  const MlpResult<T> rows = device.Run(device.Args());
  cuda::DeviceLimits limits;
  ThrowIfFailed(cuda::ReadDeviceLimits(0, &limits));
  const auto plan = cuda::PlanSparseRow(limits, kDTypeOf<T>, 2048, 1320, true);
  if (!plan.fused) GTEST_SKIP() << "this device has no fused kernel";
  ThrowIfFailed(cuda::LoadSparseGatedMlp(kDTypeOf<T>, 0));
  std::vector<T> fused;
  for (int64_t r = 0; r < 8; ++r) {
    const GatedMlpArgs one = device.RowOf(device.Args(), r);
    DeviceBytes y(2048 * sizeof(T)), active(sizeof(int32_t)), scratch(plan.scratch_bytes);
    cuda::SparseRowArgs args{};
    args.x = one.x, args.gate = one.gate, args.up = one.up, args.down = one.down;
    args.threshold = one.threshold, args.threshold_per_neuron = one.threshold_per_neuron;
    args.hidden = 2048, args.intermediate = 1320;
    args.y = y.data(), args.active = static_cast<int32_t*>(active.data());
    args.exchange = static_cast<uint32_t*>(scratch.data());
    ThrowIfFailed(cuda::PrepareScratch(plan, args.exchange, nullptr));
    ThrowIfFailed(cuda::LaunchSparseRow(plan, kDTypeOf<T>, args, false, nullptr));
    ThrowIfFailed(cudaDeviceSynchronize());
    for (T value : y.Host<T>()) fused.push_back(value);
    EXPECT_EQ(rows.active[static_cast<size_t>(r)], active.Host<int32_t>()[0]);
  }
  std::vector<double> expected;
  for (T value : fused) expected.push_back(static_cast<double>(T::ToFloat(value)));
  const double apart = RelativeError(rows.y, expected);
  std::printf("%s: 8 rows and the fused kernel are at most %.3g of the largest output apart\n",
              NameOf(kDTypeOf<T>), apart);
  EXPECT_LE(apart, ToleranceOf(kDTypeOf<T>));
}

TEST(CudaRows, AreCloseToTheFusedKernelInFloat) { ExpectCloseToFused<F32>(); }
TEST(CudaRows, AreCloseToTheFusedKernelInFloat16) { ExpectCloseToFused<F16>(); }
TEST(CudaRows, AreCloseToTheFusedKernelInBfloat16) { ExpectCloseToFused<BF16>(); }

// float32 keeps h whatever its size; so do the kernels that split it into terms of T.
template <class T>
void ExpectEveryMagnitudeOfH(float size) {
  SCOPED_TRACE(std::string(NameOf(kDTypeOf<T>)) + ", up times " + std::to_string(size));
  MlpCase<T> mlp(3, 2048, 700, 13);
  for (T& value : mlp.up) value = T::FromFloat(T::ToFloat(value) * size);
  for (T& value : mlp.down) value = T::FromFloat(T::ToFloat(value) / size);
  const auto activations = reference::Activations<T>(mlp.Args());
  mlp.ThresholdsInGaps(activations);
  const auto kept = reference::Mask(mlp.Args(), activations);
  const auto expected = reference::Output<T>(mlp.Args(), activations, kept);
  const DeviceCase<T> device(mlp);
  EXPECT_LE(RelativeError(device.Run(device.Args()).y, expected), ToleranceOf(kDTypeOf<T>));
}

TEST(CudaRows, KeepEveryMagnitudeOfH) {
  for (float size : {1e-3f, 1.0f, 2e2f}) ExpectEveryMagnitudeOfH<F16>(size);
  ExpectEveryMagnitudeOfH<F16>(3e4f);  // h beyond float16
  for (float size : {1e-20f, 1e-3f, 1e20f}) ExpectEveryMagnitudeOfH<BF16>(size);
  for (float size : {1e-10f, 1e10f}) ExpectEveryMagnitudeOfH<F32>(size);
}

// Then there is nothing to fetch of up and down, but the kernels end.
template <class T>
void ExpectNothingKept() {
  MlpCase<T> mlp(3, 2048, 700, 17, true);
  mlp.threshold.assign(1, INFINITY);
  const MlpResult<T> got = DeviceCase<T>(mlp).Run(DeviceCase<T>(mlp).Args());
  EXPECT_TRUE(got.ok);
  for (size_t r = 0; r < 3; ++r) {
    EXPECT_EQ(got.active[r], 0);
    EXPECT_EQ(0, std::memcmp(&got.y[r * 2048], mlp.down_bias.data(), 2048 * sizeof(T))) << "row " << r;
  }
}

TEST(CudaRows, GiveTheBiasWhereNothingIsKept) {
  ExpectNothingKept<F32>();
  ExpectNothingKept<F16>();
  ExpectNothingKept<BF16>();
}

// NaN or infinity in a row's activation shows in that row, in no other.
template <class T>
void ExpectNaNInXStaysInItsRow(float poison) {
  MlpCase<T> mlp(5, 256, 96, 5);
  mlp.ThresholdsInGaps(reference::Activations<T>(mlp.Args()));
  const auto before = DeviceCase<T>(mlp).Run(DeviceCase<T>(mlp).Args());
  mlp.x[2 * 256 + 17] = T::FromFloat(poison);
  const auto after = DeviceCase<T>(mlp).Run(DeviceCase<T>(mlp).Args());
  for (size_t r = 0; r < 5; ++r) {
    bool finite = true;
    for (size_t c = 0; c < 256; ++c) finite = finite && std::isfinite(T::ToFloat(after.y[r * 256 + c]));
    EXPECT_EQ(r != 2, finite) << "row " << r;
    if (r == 2) continue;
    EXPECT_EQ(0, std::memcmp(&before.y[r * 256], &after.y[r * 256], 256 * sizeof(T))) << "row " << r;
  }
}

TEST(CudaRows, ANaNInARowOfXShowsInThatRowOnly) {
  for (float poison : {static_cast<float>(NAN), static_cast<float>(INFINITY)}) {
    ExpectNaNInXStaysInItsRow<F32>(poison);
    ExpectNaNInXStaysInItsRow<F16>(poison);
    ExpectNaNInXStaysInItsRow<BF16>(poison);
  }
}

TEST(CudaRows, HaveTheSameBitsInAThousandRuns) {
  MlpCase<F16> mlp(8, 2048, 4000, 3);
  mlp.ThresholdsInGaps(reference::Activations<F16>(mlp.Args()));
  const DeviceCase<F16> device(mlp);
  const auto first = device.Run(device.Args());
  int different = 0;
  for (int run = 0; run < 1000; ++run) different += first.SameBits(device.Run(device.Args())) ? 0 : 1;
  EXPECT_EQ(0, different);
}

}  // namespace
}  // namespace cats::test
