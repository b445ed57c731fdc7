// SPDX-License-Identifier: MIT
// Checks one row of SparseGatedMlp on the GPU: against a double reference for every dtype and many sizes, and
// the promises of docs/op-spec.md: the same bits over 1,000 runs, in graphs and on other streams; only kept
// rows read.
#include <cstring>
#include <string>
#include <thread>

#include "cuda_bench.cuh"
#include "kernels/cuda/sparse_row.h"

using namespace cats;
using namespace cats::bench;
using namespace cats::cuda;

namespace {

int passed = 0, failed = 0;

void Expect(bool good, const std::string& what) {
  ++(good ? passed : failed);
  if (!good) std::printf("FAILED: %s\n", what.c_str());
}

struct Options {
  double sparsity = 0.5;
  bool biases = false, per_neuron = false, general = false;
  float scale = 1.0f;
};

// A problem on the device, with its reference.
template <class T>
struct Problem {
  DType dtype;
  int64_t hidden, intermediate;
  Options options;
  DeviceArray<T> x, gate, up, down, gate_bias, up_bias, down_bias;
  DeviceArray<float> threshold, scale;
  SparseRowPlan plan;
  SparseRowArgs args = {};
  std::vector<double> a, y;  // rounded activations; the result
  std::vector<bool> kept;
  int count = 0;

  Problem(DType dtype_, int64_t hidden_, int64_t intermediate_, const Options& o, uint64_t seed)
      : dtype(dtype_),
        hidden(hidden_),
        intermediate(intermediate_),
        options(o),
        x(hidden),
        gate(hidden * intermediate),
        up(hidden * intermediate),
        down(hidden * intermediate),
        gate_bias(intermediate),
        up_bias(intermediate),
        down_bias(hidden),
        threshold(o.per_neuron ? intermediate : 1),
        scale(1) {
    Fill(x.data, hidden, seed, 1.0);
    Fill(gate.data, gate.size, seed + 1, 1 / std::sqrt(static_cast<double>(hidden)));
    Fill(up.data, up.size, seed + 2, 1 / std::sqrt(static_cast<double>(hidden)));
    Fill(down.data, down.size, seed + 3, 1.0);
    Fill(gate_bias.data, intermediate, seed + 4, 0.3);
    Fill(up_bias.data, intermediate, seed + 5, 0.3);
    Fill(down_bias.data, hidden, seed + 6, 0.3);
    CHECK(cudaMemcpy(scale.data, &o.scale, 4, cudaMemcpyHostToDevice));
    DeviceLimits limits;
    CHECK(ReadDeviceLimits(0, &limits));
    plan = PlanSparseRow(limits, dtype, hidden, intermediate, !o.general);
    CHECK(LoadSparseRow(plan, dtype, hidden));
    args.x = x.data, args.gate = gate.data, args.up = up.data, args.down = down.data;
    args.threshold = threshold.data, args.threshold_scale = scale.data,
    args.threshold_per_neuron = o.per_neuron;
    args.hidden = hidden, args.intermediate = intermediate;
    if (o.biases)
      args.gate_bias = gate_bias.data, args.up_bias = up_bias.data, args.down_bias = down_bias.data;
    Reference();
  }

  std::string Name() const {
    return std::string(NameOf(dtype)) + " " + std::to_string(hidden) + " x " + std::to_string(intermediate) +
           " at " + std::to_string(options.sparsity) + (plan.fused ? " fused" : " general") +
           (options.biases ? " biases" : "") + (options.per_neuron ? " per neuron" : "") + " scale " +
           std::to_string(options.scale);
  }

  void Reference() {
    const auto g = Dots(x.data, gate.data, hidden, intermediate),
               u = Dots(x.data, up.data, hidden, intermediate);
    const auto gb = gate_bias.Host(), ub = up_bias.Host();
    const auto db = down_bias.Host();
    a.resize(intermediate);
    std::vector<float> sorted;
    for (int64_t i = 0; i < intermediate; ++i) {
      a[i] = Round<T>(Silu(Round<T>(g[i] + (options.biases ? T::ToFloat(gb[i]) : 0.0f))));
      sorted.push_back(std::fabs(static_cast<float>(a[i])));
    }
    std::sort(sorted.begin(), sorted.end());
    // The threshold lies in the middle of a wide gap near the quantile, so that rounding flips no decision.
    const int64_t at = static_cast<int64_t>(options.sparsity * intermediate);
    float base = 0.0f, widest = -1.0f;
    for (int64_t i = std::max<int64_t>(at - 40, 1); i < std::min<int64_t>(at + 40, intermediate); ++i) {
      const float gap = (sorted[i] - sorted[i - 1]) / sorted[i];
      if (gap > widest) widest = gap, base = sorted[i - 1] + (sorted[i] - sorted[i - 1]) / 2;
    }
    if (options.sparsity == 0) base = 0.0f;
    if (options.sparsity >= 1) base = 2 * sorted.back() + 1.0f;
    std::vector<float> t(threshold.size);
    for (size_t i = 0; i < t.size(); ++i) t[i] = base * (i % 3 == 2 ? 2.0f : 1.0f);
    CHECK(cudaMemcpy(threshold.data, t.data(), t.size() * 4, cudaMemcpyHostToDevice));
    std::vector<double> h(intermediate);
    kept.assign(intermediate, false);
    for (int64_t i = 0; i < intermediate; ++i) {
      kept[i] = IsKept(static_cast<float>(a[i]), ThresholdBits(t[options.per_neuron ? i : 0], options.scale));
      count += kept[i];
      h[i] = kept[i] ? a[i] * (u[i] + (options.biases ? T::ToFloat(ub[i]) : 0.0f)) : 0;
    }
    y = Down(h, down.data, hidden);
    for (int64_t c = 0; c < hidden && options.biases; ++c) y[c] += T::ToFloat(db[c]);
  }
};

// A result with guard bands around it, filled with a pattern before.
template <class T>
struct Output {
  static constexpr int64_t kGuard = 64;
  int64_t hidden;
  DeviceArray<T> y;
  DeviceArray<int32_t> active;
  DeviceArray<uint32_t> scratch;
  Output(const Problem<T>& p, cudaStream_t on)
      : hidden(p.hidden), y(p.hidden + 2 * kGuard), active(1), scratch(p.plan.scratch_bytes / 4 + kGuard) {
    CHECK(PrepareScratch(p.plan, scratch.data, on));
  }
  std::vector<T> Run(const Problem<T>& p, bool overlap, cudaStream_t on) {
    CHECK(cudaMemsetAsync(y.data, 0xab, y.size * sizeof(T), on));
    Launch(p, overlap, on);
    CHECK(cudaStreamSynchronize(on));
    return y.Host();
  }
  void Launch(const Problem<T>& p, bool overlap, cudaStream_t on) {
    SparseRowArgs args = p.args;
    args.y = y.data + kGuard;
    args.active = active.data;
    args.exchange = scratch.data;
    CHECK(LaunchSparseRow(p.plan, p.dtype, args, overlap, on));
  }
};

template <class T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
void Compare(DType dtype, int64_t hidden, int64_t intermediate, const Options& o, uint64_t seed) {
  Problem<T> p(dtype, hidden, intermediate, o, seed);
  Output<T> out(p, stream);
  const auto got = out.Run(p, false, stream);
  double error = 0, largest = 1e-30;
  bool guards = true;
  for (int64_t c = 0; c < static_cast<int64_t>(got.size()); ++c) {
    const int64_t column = c - Output<T>::kGuard;
    if (column < 0 || column >= hidden) {
      uint32_t bits = 0;
      std::memcpy(&bits, &got[c], sizeof(T));
      guards = guards && bits == (sizeof(T) == 4 ? 0xababababu : 0xababu);
      continue;
    }
    const double e = std::fabs(T::ToFloat(got[c]) - p.y[column]);
    error = e <= error ? error : e;  // a NaN stays
    largest = std::max(largest, std::fabs(p.y[column]));
  }
  const double tolerance = sizeof(T) == 4 ? 1e-5 : dtype == DType::kF16 ? 2e-3 : 1.6e-2;
  Expect(guards, p.Name() + ": wrote outside of y");
  Expect(out.active.Host()[0] == p.count,
         p.Name() + ": keeps " + std::to_string(out.active.Host()[0]) + ", not " + std::to_string(p.count));
  Expect(error <= tolerance * largest, p.Name() + ": error " + std::to_string(error / largest));
  Expect(SameBits(got, out.Run(p, false, stream)), p.Name() + ": a second run differs");
  Expect(SameBits(got, out.Run(p, true, stream)), p.Name() + ": with overlap differs");
}

// The bits of a problem's result in 1,000 runs, in a replayed graph with other data, on 8 streams at once.
template <class T>
void Repeat(DType dtype, int64_t hidden, int64_t intermediate) {
  Problem<T> p(dtype, hidden, intermediate, {}, 500);
  Output<T> out(p, stream);
  const auto first = out.Run(p, false, stream);
  int different = 0;
  for (int k = 0; k < 1000; ++k) different += SameBits(first, out.Run(p, k % 2 != 0, stream)) ? 0 : 1;
  Expect(different == 0, p.Name() + ": " + std::to_string(different) + " of 1000 runs differ");

  cudaGraph_t graph;
  cudaGraphExec_t exec;
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  out.Launch(p, false, stream);
  CHECK(cudaStreamEndCapture(stream, &graph));
  CHECK(cudaGraphInstantiate(&exec, graph, 0));
  bool replays = true;
  for (int k = 0; k < 20; ++k) {
    const float scale = k % 4 * 0.7f;  // 0: dense
    Fill(p.x.data, hidden, 900 + k, 1.0);
    CHECK(cudaMemcpyAsync(p.scale.data, &scale, 4, cudaMemcpyHostToDevice, stream));
    CHECK(cudaStreamSynchronize(stream));
    const auto eager = out.Run(p, false, stream);
    const int count = out.active.Host()[0];
    CHECK(cudaMemsetAsync(out.y.data, 0xab, out.y.size * sizeof(T), stream));
    CHECK(cudaGraphLaunch(exec, stream));
    CHECK(cudaStreamSynchronize(stream));
    replays = replays && SameBits(eager, out.y.Host()) && out.active.Host()[0] == count &&
              (k % 4 != 0 || count == intermediate);
  }
  Expect(replays, p.Name() + ": a replayed graph differs");
  CHECK(cudaGraphExecDestroy(exec));
  CHECK(cudaGraphDestroy(graph));

  const auto expected = out.Run(p, false, stream);
  bool same[8] = {};
  std::vector<std::thread> threads;
  for (int n = 0; n < 8; ++n) {
    threads.emplace_back([&, n] {
      cudaStream_t own;
      CHECK(cudaStreamCreateWithFlags(&own, cudaStreamNonBlocking));
      Output<T> mine(p, own);
      same[n] = true;
      for (int k = 0; k < 50; ++k) same[n] = SameBits(expected, mine.Run(p, false, own)) && same[n];
    });
  }
  for (auto& t : threads) t.join();
  Expect(std::all_of(same, same + 8, [](bool b) { return b; }),
         p.Name() + ": 8 threads with 8 streams differ");
}

// NaN in the up and down rows of skipped neurons must not show; NaN in x must.
template <class T>
void SkippedRows(DType dtype, int64_t hidden, int64_t intermediate, bool general) {
  Options o;
  o.general = general;
  Problem<T> p(dtype, hidden, intermediate, o, 700);
  Output<T> out(p, stream);
  const auto before = out.Run(p, false, stream);
  for (int64_t i = 0; i < intermediate; ++i) {
    if (p.kept[i]) continue;
    CHECK(cudaMemsetAsync(p.up.data + i * hidden, 0xff, hidden * sizeof(T), stream));
    CHECK(cudaMemsetAsync(p.down.data + i * hidden, 0xff, hidden * sizeof(T), stream));
  }
  CHECK(cudaStreamSynchronize(stream));
  Expect(SameBits(before, out.Run(p, false, stream)), p.Name() + ": a skipped row shows");
  CHECK(cudaMemsetAsync(p.x.data + 5, 0xff, sizeof(T), stream));
  const auto poisoned = out.Run(p, false, stream);
  bool all = true;
  for (int64_t c = 0; c < hidden; ++c) all = all && std::isnan(T::ToFloat(poisoned[c + Output<T>::kGuard]));
  Expect(all && out.active.Host()[0] == intermediate, p.Name() + ": NaN in x does not show");
}

template <class T>
void Format(DType dtype, bool small) {
  uint64_t seed = 1;
  const int64_t large[][2] = {{4096, 11008}, {2048, 5632}, {3072, 8192}, {5120, 13824},
                              {6144, 16000}, {8192, 9999}, {4096, 133},  {4096, 14336}};
  for (const auto& size : large) {
    // Under a sanitizer: the sizes with few neurons and the smallest rows.
    if (small && size[1] != 133 && size[0] != 2048) continue;
    for (double sparsity : {0.0, 0.5, 0.9, 1.0}) {
      Options o;
      o.sparsity = sparsity;
      Compare<T>(dtype, size[0], size[1], o, seed += 10);
    }
    Options o;
    o.biases = o.per_neuron = true;
    o.scale = 1.5f;
    Compare<T>(dtype, size[0], size[1], o, seed += 10);
  }
  const int64_t odd[][2] = {{1, 1}, {100, 37}, {257, 300}, {4096, 64}, {4100, 500}};
  for (const auto& size : odd) {
    for (bool biases : {false, true}) {
      Options o;
      o.sparsity = size[1] > 50 ? 0.5 : 0.0;
      o.biases = o.per_neuron = biases;
      o.general = true;
      Compare<T>(dtype, size[0], size[1], o, seed += 10);
    }
  }
  SkippedRows<T>(dtype, 4096, small ? 1056 : 11008, false);
  SkippedRows<T>(dtype, 300, 77, true);
  std::printf("%s: %d passed, %d failed so far\n", NameOf(dtype), passed, failed);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const bool small = argc > 1 && std::strcmp(argv[1], "small") == 0;
  CHECK(cudaStreamCreate(&stream));
  Format<F16>(DType::kF16, small);
  Format<BF16>(DType::kBF16, small);
  Format<F32>(DType::kF32, small);
  if (!small) Repeat<F16>(DType::kF16, 4096, 11008);
  if (!small) Repeat<F32>(DType::kF32, 2048, 5632);
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
