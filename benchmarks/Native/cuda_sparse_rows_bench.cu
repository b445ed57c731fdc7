// SPDX-License-Identifier: MIT
// Times 1 to 8 rows of SparseGatedMlp on the GPU by the kernels for several rows: Llama-2-7B's shape in
// float16, random data, each row with its own mask. Bytes: gate, and the rows of up and down that any row
// keeps, once.
#include <cstring>

#include "cuda_bench.cuh"
#include "kernels/cuda/sparse_row.h"
#include "kernels/cuda/sparse_rows.h"

using namespace cats;
using namespace cats::bench;
using namespace cats::cuda;

namespace {

constexpr int64_t kHidden = 4096, kIntermediate = 11008;
constexpr int kCopies = 4;  // of the weights, in turn, so that L2 holds none
constexpr int kLaunches = 20;
DeviceLimits limits;

void Measure(DeviceArray<F16>& x, DeviceArray<F16>* weights, int64_t rows, double sparsity) {
  // The threshold at the quantile of the first row's activations.
  std::vector<float> a;
  for (double g : Dots(x.data, weights[0].data, kHidden, kIntermediate)) {
    a.push_back(std::fabs(Round<F16>(Silu(Round<F16>(g)))));
  }
  std::sort(a.begin(), a.end());
  const float threshold = sparsity == 0 ? 0.0f : a[static_cast<size_t>(sparsity * kIntermediate)];
  DeviceArray<float> t(std::vector<float>{threshold});
  DeviceArray<F16> y(rows * kHidden);
  DeviceArray<int32_t> active(rows);
  DeviceArray<uint32_t> scratch(SparseRowsScratchBytes(DType::kF16, rows, kIntermediate, kHidden) / 4);
  const auto launch = [&](int copy) {
    const size_t size = static_cast<size_t>(kIntermediate) * kHidden;
    const F16* w = weights[copy % kCopies].data;
    const GatedMlpArgs args = {rows,         kHidden,     kIntermediate, x.data,  w,       w + size,
                               w + 2 * size, t.data,      nullptr,       nullptr, nullptr, nullptr,
                               y.data,       active.data, scratch.data,  false,   false};
    CHECK(LaunchSparseRows(limits, DType::kF16, args, false, stream));
  };
  launch(0);
  CHECK(cudaStreamSynchronize(stream));
  const SparseRowsScratch at(false, rows, kIntermediate, kHidden);
  const auto words = scratch.Host();
  const auto* kept = reinterpret_cast<const uint8_t*>(words.data() + at.kept);
  const int64_t any = kIntermediate - std::count(kept, kept + kIntermediate, 0);
  const Time time = TimeGraph(kLaunches, [&] {
    for (int k = 0; k < kLaunches; ++k) launch(k);
  });
  const double bytes = (kIntermediate + 2.0 * any) * kHidden * sizeof(F16);
  std::printf("| %d | %.0f%% | %.1f%% | %.1f | %.1f (%.1f) | %.2f |\n", static_cast<int>(rows),
              100 * sparsity, 100.0 * any / kIntermediate, bytes * 1e-6, time.least, time.median,
              bytes * 1e-6 / time.least);
  std::fflush(stdout);
}

}  // namespace

int main() {
  CHECK(cudaStreamCreate(&stream));
  CHECK(ReadDeviceLimits(0, &limits));
  CHECK(LoadSparseRows(limits, DType::kF16));
  const size_t size = 3 * static_cast<size_t>(kIntermediate) * kHidden;
  DeviceArray<F16> x(8 * kHidden);
  DeviceArray<F16> weights[kCopies] = {DeviceArray<F16>(size), DeviceArray<F16>(size), DeviceArray<F16>(size),
                                       DeviceArray<F16>(size)};
  Fill(x.data, x.size, 1, 1.0);
  for (int copy = 0; copy < kCopies; ++copy) {
    Fill(weights[copy].data, size, 2 + copy, 1 / std::sqrt(static_cast<double>(kHidden)));
  }
  std::printf("\nSeveral rows, Llama-2-7B fp16, graphs of %d launches\n\n", kLaunches);
  std::printf("| rows | sparsity of a row | kept by any row | MB | least (median) us | TB/s |\n");
  std::printf("|---|---|---|---|---|---|\n");
  for (int64_t rows : {1, 2, 4, 8}) {
    for (double sparsity : {0.0, 0.5, 0.9}) Measure(x, weights, rows, sparsity);
  }
  return 0;
}
