// SPDX-License-Identifier: MIT
// One MLP inside ONNX Runtime's CUDA provider: SparseGatedMlp against the six nodes of a dense export, the
// same session options, both as CUDA graphs of 8 MLPs, runs back to back on one stream. Random data; four
// copies of the weights take turns, so that L2 holds none.
//   cuda_ort_mlp_bench [all|crossover|decode] [LIBRARY]   CATS_ORT_GPU_LIBRARY names the runtime
// decode: 1 and 2 rows only, to compare two libraries in seconds.
#include <memory>
#include <string>

#include "cuda_bench.cuh"
#include "kernels/cuda/launch_plan.h"
#include "kernels/cuda/sparse_row.h"
#include "support/onnx_model.h"
#include "support/ort_runtime.h"

using namespace cats;
using namespace cats::bench;
namespace ort = cats::test;

namespace {

constexpr int kCopies = 4;
constexpr int kMlps = 8;  // of a graph: two activations, else the runtime would find the copies in pairs

const char* library = CATS_LIBRARY;

const ort::OrtRuntime& Runtime() {
  static const ort::OrtRuntime& runtime = *new ort::OrtRuntime(std::getenv("CATS_ORT_GPU_LIBRARY"));
  return runtime;
}

std::string Name(const char* stem, int k) { return stem + std::to_string(k); }

template <class T>
constexpr int kModelType = std::is_same_v<T, F32>   ? ort::kFloat
                           : std::is_same_v<T, F16> ? ort::kFloat16
                                                    : ort::kBFloat16;

struct Shape {
  const char* name;
  int64_t hidden, intermediate;
};

ort::Graph MlpGraph(int type, const Shape& shape, int64_t rows, bool dense) {
  const std::string h = std::to_string(shape.hidden), i = std::to_string(shape.intermediate);
  ort::Graph graph;
  for (int k = 0; k < 2; ++k) graph.inputs.push_back({Name("X", k), type, {std::to_string(rows), h}});
  for (int k = 0; k < kCopies; ++k) {
    // The dense export holds gate and up as [hidden, intermediate].
    const std::vector<std::string> wide =
        dense ? std::vector<std::string>{h, i} : std::vector<std::string>{i, h};
    graph.inputs.push_back({Name("gate", k), type, wide});
    graph.inputs.push_back({Name("up", k), type, wide});
    graph.inputs.push_back({Name("down", k), type, {i, h}});
  }
  if (!dense) graph.inputs.push_back({"threshold", ort::kFloat, {}});
  for (int k = 0; k < kMlps; ++k) {
    const std::string x = Name("X", k / kCopies), y = Name("Y", k);
    const std::string gate = Name("gate", k % kCopies), up = Name("up", k % kCopies),
                      down = Name("down", k % kCopies);
    const auto node = [&](const char* op, std::vector<std::string> in, std::string out) {
      graph.nodes.push_back(
          {op, "", Name(op, static_cast<int>(graph.nodes.size())), std::move(in), {std::move(out)}, {}});
    };
    if (dense) {
      node("MatMul", {x, gate}, Name("g", k));
      node("Sigmoid", {Name("g", k)}, Name("s", k));
      node("Mul", {Name("g", k), Name("s", k)}, Name("a", k));
      node("MatMul", {x, up}, Name("u", k));
      node("Mul", {Name("a", k), Name("u", k)}, Name("h", k));
      node("MatMul", {Name("h", k), down}, y);
    } else {
      graph.nodes.push_back(
          {"SparseGatedMlp", "ai.cats", Name("mlp", k), {x, gate, up, down, "threshold"}, {y, ""}, {}});
    }
    graph.outputs.push_back({y, type, {std::to_string(rows), h}});
  }
  return graph;
}

// A session whose graph is captured, with its arrays bound.
class Captured {
 public:
  Captured(const std::string& model) {
    const OrtApi& api = Runtime().api();
    OrtSessionOptions* options = nullptr;
    OrtCUDAProviderOptionsV2* cuda = nullptr;
    Runtime().Check(api.CreateSessionOptions(&options));
    Runtime().Check(api.CreateCUDAProviderOptions(&cuda));
    const char* keys[] = {"device_id", "enable_cuda_graph", "use_tf32"};
    const char* values[] = {"0", "1", "0"};
    Runtime().Check(api.UpdateCUDAProviderOptions(cuda, keys, values, 3));
    Runtime().Check(api.UpdateCUDAProviderOptionsWithValue(cuda, "user_compute_stream", stream));
    Runtime().Check(api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda));
    Runtime().Check(api.RegisterCustomOpsLibrary_V2(options, library));
    Runtime().Check(
        api.CreateSessionFromArray(Runtime().env(), model.data(), model.size(), options, &session_));
    api.ReleaseCUDAProviderOptions(cuda);
    api.ReleaseSessionOptions(options);
    Runtime().Check(api.CreateMemoryInfo("Cuda", OrtDeviceAllocator, 0, OrtMemTypeDefault, &memory_));
    Runtime().Check(api.CreateIoBinding(session_, &binding_));
    Runtime().Check(api.CreateRunOptions(&run_));
    Runtime().Check(api.AddRunConfigEntry(run_, "disable_synchronize_execution_providers", "1"));
  }
  ~Captured() {
    const OrtApi& api = Runtime().api();
    CHECK(cudaStreamSynchronize(stream));
    for (OrtValue* value : values_) api.ReleaseValue(value);
    api.ReleaseRunOptions(run_);
    api.ReleaseIoBinding(binding_);
    api.ReleaseMemoryInfo(memory_);
    api.ReleaseSession(session_);
  }
  Captured(const Captured&) = delete;

  template <class V>
  void Bind(const std::string& name, V* data, std::vector<int64_t> dims, int type, bool output = false) {
    const OrtApi& api = Runtime().api();
    size_t size = sizeof(V);
    for (int64_t dim : dims) size *= static_cast<size_t>(dim);
    OrtValue* value = nullptr;
    Runtime().Check(api.CreateTensorWithDataAsOrtValue(memory_, data, size, dims.data(), dims.size(),
                                                       static_cast<ONNXTensorElementDataType>(type), &value));
    values_.push_back(value);
    Runtime().Check(output ? api.BindOutput(binding_, name.c_str(), value)
                           : api.BindInput(binding_, name.c_str(), value));
  }

  void Run() { Runtime().Check(Runtime().api().RunWithBinding(session_, run_, binding_)); }

  // Microseconds of one MLP.
  Time Measure(int64_t rows) {
    for (int k = 0; k < 3; ++k) Run();
    CHECK(cudaStreamSynchronize(stream));
    const int runs = rows > 64 ? 3 : 12;
    cudaEvent_t begin, end;
    CHECK(cudaEventCreate(&begin));
    CHECK(cudaEventCreate(&end));
    std::vector<double> times;
    for (int batch = 0; batch < 9; ++batch) {
      Run();  // so that the GPU is busy when the first event is put behind it
      CHECK(cudaEventRecord(begin, stream));
      for (int k = 0; k < runs; ++k) Run();
      CHECK(cudaEventRecord(end, stream));
      CHECK(cudaStreamSynchronize(stream));
      float ms;
      CHECK(cudaEventElapsedTime(&ms, begin, end));
      times.push_back(ms * 1e3 / (runs * kMlps));
    }
    std::sort(times.begin(), times.end());
    return {times[0], times[times.size() / 2]};
  }

 private:
  OrtSession* session_ = nullptr;
  OrtMemoryInfo* memory_ = nullptr;
  OrtIoBinding* binding_ = nullptr;
  OrtRunOptions* run_ = nullptr;
  std::vector<OrtValue*> values_;
};

bool IsFused(DType dtype, int64_t hidden, int64_t intermediate, int64_t rows) {
  cuda::DeviceLimits limits;
  CHECK(cuda::ReadDeviceLimits(0, &limits));
  return rows <= cuda::kMaxFusedRows &&
         cuda::PlanSparseRow(limits, dtype, hidden, intermediate, true, rows).fused;
}

template <class T>
void Measure(const Shape& shape, DType dtype, const std::vector<int64_t>& all_rows,
             const std::vector<double>& sparsities, double ceiling) {
  const int64_t hidden = shape.hidden, intermediate = shape.intermediate;
  const size_t weights_size = static_cast<size_t>(hidden * intermediate);
  std::vector<std::unique_ptr<DeviceArray<T>>> weights;
  for (int k = 0; k < 3 * kCopies; ++k) {
    weights.push_back(std::make_unique<DeviceArray<T>>(weights_size));
    Fill(weights.back()->data, weights_size, 2 + k, 1 / std::sqrt(static_cast<double>(hidden)));
  }
  DeviceArray<float> threshold(1);
  for (int64_t rows : all_rows) {
    DeviceArray<T> x0(rows * hidden), x1(rows * hidden), y(static_cast<size_t>(kMlps) * rows * hidden);
    Fill(x0.data, x0.size, 100, 1.0);
    Fill(x1.data, x1.size, 101, 1.0);
    // Activations of up to 32 rows: the thresholds, and what any row keeps.
    const int64_t looked_at = std::min<int64_t>(rows, 32);
    std::vector<float> a;
    for (int64_t r = 0; r < looked_at; ++r) {
      for (double g : Dots(x0.data + r * hidden, weights[0]->data, hidden, intermediate)) {
        a.push_back(std::fabs(Round<T>(Silu(Round<T>(g)))));
      }
    }
    std::vector<float> sorted = a;
    std::sort(sorted.begin(), sorted.end());
    const int type = kModelType<T>;
    const auto bind = [&](Captured& session, bool dense) {
      const std::vector<int64_t> rows_dims = {rows, hidden}, neurons = {intermediate, hidden};
      const std::vector<int64_t> wide = dense ? std::vector<int64_t>{hidden, intermediate} : neurons;
      session.Bind("X0", x0.data, rows_dims, type);
      session.Bind("X1", x1.data, rows_dims, type);
      for (int k = 0; k < kCopies; ++k) {
        session.Bind(Name("gate", k), weights[3 * k]->data, wide, type);
        session.Bind(Name("up", k), weights[3 * k + 1]->data, wide, type);
        session.Bind(Name("down", k), weights[3 * k + 2]->data, neurons, type);
      }
      if (!dense) session.Bind("threshold", threshold.data, {}, ort::kFloat);
      for (int k = 0; k < kMlps; ++k) {
        session.Bind(Name("Y", k), y.data + static_cast<size_t>(k) * rows * hidden, rows_dims, type, true);
      }
    };
    Time dense;
    {
      Captured session(ort::ModelBytes(MlpGraph(type, shape, rows, true)));
      bind(session, true);
      dense = session.Measure(rows);
    }
    Captured session(ort::ModelBytes(MlpGraph(type, shape, rows, false)));
    bind(session, false);
    for (double sparsity : sparsities) {
      const float t = sparsity == 0
                          ? 0.0f
                          : sorted[static_cast<size_t>(sparsity * static_cast<double>(sorted.size() - 1))];
      CHECK(cudaMemcpy(threshold.data, &t, 4, cudaMemcpyHostToDevice));
      const Time time = session.Measure(rows);
      int64_t any = 0;
      for (int64_t i = 0; i < intermediate; ++i) {
        bool kept = false;
        for (int64_t r = 0; r < looked_at; ++r)
          kept = kept || a[static_cast<size_t>(r * intermediate + i)] >= t;
        any += kept;
      }
      const double floor =
          static_cast<double>((intermediate + 2 * any) * hidden) * sizeof(T) / ceiling * 1e-6;
      const char* path = rows >= cuda::DenseRowsFrom(dtype, hidden, intermediate) ? "dense"
                         : IsFused(dtype, hidden, intermediate, rows)             ? "fused"
                                                                                  : "rows";
      std::printf("| %s %s | %d | %s | %.0f%% | %.1f%% | %.1f (%.1f) | %.1f (%.1f) | x%.2f | ", shape.name,
                  NameOf(dtype), static_cast<int>(rows), path, 100 * sparsity, 100.0 * any / intermediate,
                  dense.least, dense.median, time.least, time.median, dense.least / time.least);
      if (rows <= 32) {
        std::printf("%.1f | %.0f%% |\n", floor, 100 * floor / time.least);
      } else {
        std::printf("| |\n");
      }
      std::fflush(stdout);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (std::getenv("CATS_ORT_GPU_LIBRARY") == nullptr) {
    std::fprintf(stderr, "cuda_ort_mlp_bench: CATS_ORT_GPU_LIBRARY is not set\n");
    return 1;
  }
  const std::string mode = argc > 1 ? argv[1] : "all";
  if (argc > 2) library = argv[2];
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  const double ceiling = Ceiling();
  std::printf("\nInside ONNX Runtime %s, CUDA graphs of %d MLPs, use_tf32 = 0, read ceiling %.2f TB/s\n\n",
              Runtime().base()->GetVersionString(), kMlps, ceiling);
  std::printf(
      "| shape | rows | path | sparsity of a row | kept by any row | dense, least (median) us | "
      "SparseGatedMlp us | "
      "x dense | bytes / ceiling us | share |\n|---|---|---|---|---|---|---|---|---|---|\n");
  constexpr Shape kLlama7 = {"Llama-2-7B", 4096, 11008};
  const Shape shapes[] = {
      kLlama7, {"Mistral-7B", 4096, 14336}, {"Llama-2-13B", 5120, 13824}, {"TinyLlama-1.1B", 2048, 5632}};
  if (mode == "decode") {
    for (const Shape& shape : shapes) Measure<F16>(shape, DType::kF16, {1, 2}, {0.0, 0.5, 0.9}, ceiling);
    return 0;
  }
  if (mode == "crossover") {
    const std::vector<int64_t> rows = {2, 3, 4, 6, 8, 9, 12, 16, 24, 32};
    for (const Shape& shape : shapes) {
      Measure<F16>(shape, DType::kF16, rows, {0.0, 0.5, 0.7, 0.9}, ceiling);
    }
    Measure<BF16>(kLlama7, DType::kBF16, {2, 8, 16}, {0.5, 0.9}, ceiling);
    Measure<F32>(kLlama7, DType::kF32, {2, 4, 8, 16}, {0.5, 0.9}, ceiling);
    return 0;
  }
  Measure<F16>(kLlama7, DType::kF16, {1, 2, 4, 8, 16, 32, 512, 2048}, {0.0, 0.5, 0.7, 0.9}, ceiling);
  Measure<BF16>(kLlama7, DType::kBF16, {1, 2, 8, 512}, {0.5}, ceiling);
  Measure<F32>(kLlama7, DType::kF32, {1, 2, 8, 512}, {0.5}, ceiling);
  return 0;
}
