// SPDX-License-Identifier: MIT
// One gated MLP inside ONNX Runtime: the custom op against ONNX Runtime's own dense nodes, in turn, on
// weights that no cache holds. Names: mlp/<hidden>x<intermediate>/<dtype>/rows:<n>/sparsity:<percent>.
//   mlp_bench [--threads=N] [--ort=libonnxruntime.so] [--library=libcats_onnx.so] [Google Benchmark flags]
// Prints a Markdown table; time is the median (and the fastest), "x dense" the median over pairs of
// neighbouring runs, GB/s what must be read over the fastest time, the ceiling the fastest plain read.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kernels/cpu/isa.h"
#include "mlp_layer.h"
#include "read_ceiling.h"

namespace cats::bench {
namespace {

struct Settings {
  std::string ort = CATS_ORT_LIBRARY;
  std::string library = CATS_LIBRARY;
  int threads = static_cast<int>(std::thread::hardware_concurrency());
} settings;
std::unique_ptr<Ort::Env> environment;

struct Case {
  int64_t hidden;
  int64_t intermediate;
  DType dtype;
  int64_t rows;
  int percent;  // of neurons dropped
};

// Benchmarks of one layer follow each other; only one layer is in memory.
MlpLayer& LayerOf(const Case& what) {
  static std::unique_ptr<MlpLayer> layer;
  static Case made{};
  if (layer == nullptr || made.hidden != what.hidden || made.intermediate != what.intermediate ||
      made.dtype != what.dtype) {
    layer.reset();
    layer = std::make_unique<MlpLayer>(*environment, settings.library, what.dtype, what.hidden,
                                       what.intermediate);
    made = what;
  }
  return *layer;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

// The fastest of some plain reads of the layer's weights. ONNX Runtime's threads spin for a while after a run
// and would take their share, hence the wait.
double MeasureReadCeiling(const MlpLayer& layer) {
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  double best = 0;
  for (size_t i = 0; i < 8; ++i)
    best = std::max(best, ReadBandwidth(layer.copy(i), layer.copy_bytes(), settings.threads));
  return best;
}

int PairsFor(int64_t rows) { return rows <= 16 ? 40 : rows <= 64 ? 16 : rows <= 128 ? 10 : 5; }

void Mlp(benchmark::State& state, Case what) {
  MlpLayer& layer = LayerOf(what);
  const float threshold = layer.ThresholdFor(what.percent / 100.0);
  layer.RunSparse(what.rows, threshold);
  layer.RunDense(what.rows);
  if (what.percent == 0) {
    // kernels/gated_mlp.h, tolerance table: the same numbers, summed in another order.
    const double limit = what.dtype == DType::kF32 ? 1e-5 : what.dtype == DType::kF16 ? 4e-3 : 3e-2;
    if (!(layer.Difference(what.rows) <= limit)) {
      state.SkipWithError("differs from the dense MLP");
      return;
    }
  }
  const double read_ceiling = MeasureReadCeiling(layer);
  std::vector<double> sparse, dense, ratios;
  for (auto _ : state) {
    sparse.push_back(layer.RunSparse(what.rows, threshold));
    state.SetIterationTime(sparse.back());
    dense.push_back(layer.RunDense(what.rows));
    ratios.push_back(dense.back() / sparse.back());
  }
  const double seconds = Median(sparse);
  // Bandwidths are those of the fastest run: other programs take their share of the others.
  const double fastest = *std::min_element(sparse.begin(), sparse.end());
  const double bandwidth = layer.BytesNeeded(what.rows, threshold) / fastest;
  state.counters["us"] = seconds * 1e6;
  state.counters["us_min"] = fastest * 1e6;
  state.counters["dense_us"] = Median(dense) * 1e6;
  state.counters["dense_us_min"] = *std::min_element(dense.begin(), dense.end()) * 1e6;
  state.counters["x_dense"] = Median(ratios);
  state.counters["GB/s"] = bandwidth * 1e-9;
  state.counters["of_ceiling"] = bandwidth / read_ceiling;
  state.counters["GFLOP/s"] =
      6.0 * static_cast<double>(what.rows * what.hidden * what.intermediate) / fastest * 1e-9;
}

class MarkdownReporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    std::printf(
        "| layer | dtype | rows | sparsity | us (min) | dense us (min) | **x dense** | GB/s | of read "
        "ceiling |\n");
    std::printf("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      const std::string name = run.benchmark_name();
      if (run.error_occurred) {
        std::printf("| %s | | | | %s | | | | |\n", name.c_str(), run.error_message.c_str());
        failed = true;
        continue;
      }
      char layer[64] = "", dtype[16] = "";
      long rows = 0;
      int percent = 0;
      if (std::sscanf(name.c_str(), "mlp/%63[^/]/%15[^/]/rows:%ld/sparsity:%d", layer, dtype, &rows,
                      &percent) != 4)
        continue;
      const auto value = [&](const char* key) { return static_cast<double>(run.counters.at(key)); };
      std::printf("| %s | %s | %ld | %d%% | %.0f (%.0f) | %.0f (%.0f) | **%.2f** | %.1f | %.0f%% |\n", layer,
                  dtype, rows, percent, value("us"), value("us_min"), value("dense_us"),
                  value("dense_us_min"), value("x_dense"), value("GB/s"), 100.0 * value("of_ceiling"));
      std::fflush(stdout);
    }
  }
  bool failed = false;
};

void Register() {
  std::vector<Case> cases;
  for (int percent : {0, 50, 70, 90}) cases.push_back({4096, 11008, DType::kF32, 1, percent});
  for (int64_t rows : {2, 4, 8, 16, 32, 64, 128, 512}) cases.push_back({4096, 11008, DType::kF32, rows, 50});
  for (int64_t rows : {8, 32, 512}) cases.push_back({4096, 11008, DType::kF32, rows, 0});
  for (DType dtype : {DType::kF16, DType::kBF16}) {
    for (int percent : {0, 50, 70, 90}) cases.push_back({4096, 11008, dtype, 1, percent});
    for (int64_t rows : {4, 16, 64, 512}) cases.push_back({4096, 11008, dtype, rows, 50});
  }
  for (const auto& [hidden, intermediate] : {std::pair<int64_t, int64_t>{4096, 14336}, {5120, 13824}}) {
    for (int percent : {0, 50, 70, 90}) cases.push_back({hidden, intermediate, DType::kF32, 1, percent});
    for (int64_t rows : {4, 32, 512}) cases.push_back({hidden, intermediate, DType::kF32, rows, 50});
  }
  for (const Case& what : cases) {
    const std::string name = "mlp/" + std::to_string(what.hidden) + "x" + std::to_string(what.intermediate) +
                             "/" + NameOf(what.dtype) + "/rows:" + std::to_string(what.rows) +
                             "/sparsity:" + std::to_string(what.percent);
    benchmark::RegisterBenchmark(name.c_str(), [what](benchmark::State& state) { Mlp(state, what); })
        ->UseManualTime()
        ->Iterations(PairsFor(what.rows))
        ->Unit(benchmark::kMicrosecond);
  }
}

bool TakeFlag(const char* argument, const char* name, std::string* value) {
  const size_t size = std::strlen(name);
  if (std::strncmp(argument, name, size) != 0) return false;
  *value = argument + size;
  return true;
}

int Main(int argc, char** argv) {
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    std::string threads;
    if (TakeFlag(argv[i], "--ort=", &settings.ort) || TakeFlag(argv[i], "--library=", &settings.library))
      continue;
    if (TakeFlag(argv[i], "--threads=", &threads)) {
      settings.threads = std::max(1, std::atoi(threads.c_str()));
      continue;
    }
    argv[kept++] = argv[i];
  }
  argc = kept;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  if (ChosenIsa().error != nullptr) {
    std::fprintf(stderr, "%s\n", ChosenIsa().error);
    return 1;
  }
  try {
    environment = std::make_unique<Ort::Env>(StartOrt(settings.ort, settings.threads));
    Register();
    std::printf("ONNX Runtime %s, %d threads, instruction set %s\n\n", OrtVersion().c_str(), settings.threads,
                NameOf(ChosenIsa().isa));
    MarkdownReporter reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter);
    return reporter.failed ? 1 : 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mlp_bench: %s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace cats::bench

int main(int argc, char** argv) { return cats::bench::Main(argc, argv); }
