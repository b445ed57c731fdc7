// SPDX-License-Identifier: MIT
// The ops on ONNX Runtime's CUDA provider: placed there, equal to the CPU's, captured in a CUDA graph and
// replayed with other data. CATS_CUDA only. CATS_ORT_GPU_LIBRARY names the runtime; without it or a GPU the
// tests are skipped, under CATS_REQUIRE_CUDA=1 they fail.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <numeric>
#include <thread>

#include "support/cats_models.h"
#include "support/cuda_device.h"
#include "support/tolerances.h"

namespace cats::test {
namespace {

// Why there is nothing to test on; "" if there is.
std::string Missing() {
  if (std::getenv("CATS_ORT_GPU_LIBRARY") == nullptr) return "CATS_ORT_GPU_LIBRARY is not set";
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess) return std::string("no CUDA device: ") + cudaGetErrorName(error);
  return devices > 0 ? "" : "no CUDA device";
}

class OrtCuda : public testing::Test {
 protected:
  void SetUp() override {
    const std::string missing = Missing();
    if (missing.empty()) return;
    const char* required = std::getenv("CATS_REQUIRE_CUDA");
    if (required != nullptr && std::string(required) == "1") FAIL() << missing;
    GTEST_SKIP() << missing;
  }
};

const OrtRuntime& GpuRuntime() {
  static const OrtRuntime& runtime = *new OrtRuntime(std::getenv("CATS_ORT_GPU_LIBRARY"));
  return runtime;
}

// A session on the CUDA provider; every node must be placed there.
OrtSession* CudaSession(const std::string& model, bool graph) {
  const OrtRuntime& runtime = GpuRuntime();
  const OrtApi& api = runtime.api();
  OrtSessionOptions* options = nullptr;
  OrtCUDAProviderOptionsV2* cuda = nullptr;
  OrtSession* session = nullptr;
  runtime.Check(api.CreateSessionOptions(&options));
  runtime.Check(api.CreateCUDAProviderOptions(&cuda));
  const char* keys[] = {"device_id", "enable_cuda_graph", "use_tf32"};
  const char* values[] = {"0", graph ? "1" : "0", "0"};
  runtime.Check(api.UpdateCUDAProviderOptions(cuda, keys, values, 3));
  runtime.Check(api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda));
  runtime.Check(api.AddSessionConfigEntry(options, "session.disable_cpu_ep_fallback", "1"));
  runtime.Check(api.RegisterCustomOpsLibrary_V2(options, CATS_LIBRARY));
  OrtStatus* status =
      api.CreateSessionFromArray(runtime.env(), model.data(), model.size(), options, &session);
  api.ReleaseCUDAProviderOptions(cuda);
  api.ReleaseSessionOptions(options);
  runtime.Check(status);
  return session;
}

template <class T>
MlpCase<T> CaseOf(int64_t rows, int64_t hidden, int64_t intermediate) {
  MlpCase<T> mlp(rows, hidden, intermediate, static_cast<uint32_t>(20 + rows), true);
  mlp.ThresholdsInGaps(reference::Activations<T>(mlp.Args()));
  return mlp;
}

template <class T>
void ExpectMlpMatches(int64_t rows, int64_t hidden, int64_t intermediate) {
  SCOPED_TRACE(std::string(NameOf(OnnxOf<T>::kDType)) + " " + std::to_string(rows) + " x " +
               std::to_string(hidden) + " x " + std::to_string(intermediate));
  const MlpCase<T> mlp = CaseOf<T>(rows, hidden, intermediate);
  const auto a = reference::Activations<T>(mlp.Args());
  const auto kept = reference::Mask(mlp.Args(), a);
  const std::string model = ModelBytes(MlpGraph(OnnxOf<T>::kModel));
  const Session gpu(GpuRuntime(), CudaSession(model, false));
  const Session cpu(GpuRuntime(), model, CATS_LIBRARY);
  const auto inputs = MlpInputs(mlp, {1, rows});
  const auto on_gpu = gpu.Run(inputs, {"Y", "active"});
  const auto on_cpu = cpu.Run(inputs, {"Y", "active"});
  EXPECT_EQ(on_cpu[0].dims, on_gpu[0].dims);
  EXPECT_EQ(on_cpu[1].bytes, on_gpu[1].bytes) << "active";
  EXPECT_LE(RelativeError(on_gpu[0].template As<T>(), reference::Output<T>(mlp.Args(), a, kept)),
            ToleranceOf(OnnxOf<T>::kDType));
  EXPECT_TRUE(SameBits(on_gpu, gpu.Run(inputs, {"Y", "active"}))) << "a second run differs";
  const auto dense = gpu.Run(MlpInputs(mlp, {1, rows}, {0.0f}), {"Y", "active"});
  for (int32_t count : dense[1].template As<int32_t>()) EXPECT_EQ(intermediate, count);
}

template <class T>
void ExpectEveryMlpMatches() {
  for (int64_t rows : {1, 2, 5, 8, 11}) {
    ExpectMlpMatches<T>(rows, 48, 70);
    ExpectMlpMatches<T>(rows, 37, 29);
    ExpectMlpMatches<T>(rows, 2048, 264);
  }
}

TEST_F(OrtCuda, SparseGatedMlpEqualsReferenceAndCpuInFloat) { ExpectEveryMlpMatches<F32>(); }
TEST_F(OrtCuda, SparseGatedMlpEqualsReferenceAndCpuInFloat16) { ExpectEveryMlpMatches<F16>(); }
TEST_F(OrtCuda, SparseGatedMlpEqualsReferenceAndCpuInBfloat16) { ExpectEveryMlpMatches<BF16>(); }

TEST_F(OrtCuda, ZeroRowsAndZeroNeurons) {
  const std::string model = ModelBytes(MlpGraph(kFloat));
  const Session gpu(GpuRuntime(), CudaSession(model, false));
  const auto nothing = gpu.Run(MlpInputs(MlpCase<F32>(0, 8, 6), {2, 0}), {"Y", "active"});
  EXPECT_EQ((std::vector<int64_t>{2, 0, 8}), nothing[0].dims);
  const MlpCase<F32> empty(3, 8, 0);
  const auto bias = gpu.Run(MlpInputs(empty, {3}), {"Y", "active"});
  const auto y = bias[0].As<F32>();
  for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(F32::ToFloat(empty.down_bias[i % 8]), F32::ToFloat(y[i]));
  EXPECT_EQ((std::vector<int32_t>{0, 0, 0}), bias[1].As<int32_t>());
}

TEST_F(OrtCuda, AWrongShapeIsAStatusThatNamesNodeAndInput) {
  const Session gpu(GpuRuntime(), CudaSession(ModelBytes(MlpGraph(kFloat)), false));
  auto inputs = MlpInputs(MlpCase<F32>(2, 8, 6), {2});
  inputs[2].dims = {8, 6};
  const std::string error = ErrorOf([&] { gpu.Run(inputs, {"Y", "active"}); });
  for (const char* part : {"SparseGatedMlp 'layer.0/mlp'", "'up'", "[8, 6]", "[6, 8]"})
    EXPECT_NE(std::string::npos, error.find(part)) << error;
}

// All values of a 16-bit format times a set of thresholds: bits of the CPU.
template <class T>
void ExpectSameDecisions() {
  Graph graph;
  constexpr int type = OnnxOf<T>::kModel;
  graph.nodes = {{"CatsThreshold", "ai.cats", "threshold", {"X", "t", "s"}, {"Y"}, {}}};
  graph.inputs = {{"X", type, {}, false}, {"t", kFloat, {}, false}, {"s", kFloat, {}, false}};
  graph.outputs = {{"Y", type, {}, false}};
  const Session gpu(GpuRuntime(), CudaSession(ModelBytes(graph), false));
  const Session cpu(GpuRuntime(), ModelBytes(graph), CATS_LIBRARY);
  std::vector<T> all(65536);
  for (size_t bits = 0; bits < all.size(); ++bits) {
    if constexpr (sizeof(T) == 2) {
      const auto pattern = static_cast<uint16_t>(bits);
      std::memcpy(static_cast<void*>(&all[bits]), &pattern, 2);
    } else {
      const auto pattern = static_cast<uint32_t>(bits * 65537u);
      std::memcpy(static_cast<void*>(&all[bits]), &pattern, 4);
    }
  }
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float values[] = {-1.0f, -0.0f, 0.0f,  1e-45f, 1e-40f,    6e-8f, 1e-4f,
                          0.05f, 0.25f, 1.75f, 65504,  kInfinity, NAN};
  int compared = 0;
  for (float threshold : values) {
    for (float scale : values) {
      const std::vector<HostTensor> inputs = {MakeTensor("X", OnnxOf<T>::kTensor, {4, 16384}, all),
                                              MakeTensor<float>("t", kFloatTensor, {}, {threshold}),
                                              MakeTensor<float>("s", kFloatTensor, {}, {scale})};
      EXPECT_TRUE(SameBits(cpu.Run(inputs, {"Y"}), gpu.Run(inputs, {"Y"}))) << threshold << " * " << scale;
      ++compared;
    }
  }
  std::printf("%s: %d thresholds times 65536 values, the bits of the CPU\n", NameOf(OnnxOf<T>::kDType),
              compared);
}

TEST_F(OrtCuda, CatsThresholdTakesTheDecisionsOfTheCpu) {
  ExpectSameDecisions<F32>();
  ExpectSameDecisions<F16>();
  ExpectSameDecisions<BF16>();
}

template <class T>
void ExpectSameCounts(int64_t rows, int64_t width) {
  Graph graph;
  constexpr int type = OnnxOf<T>::kModel;
  graph.nodes = {{"GateObserver",
                  "ai.cats",
                  "observer",
                  {"A", "U", "weight", "mask"},
                  {"Y", "counts", "sums", "tokens"},
                  {}}};
  graph.inputs = {{"A", type, {}, false},
                  {"U", type, {}, false},
                  {"weight", kFloat, {}, false},
                  {"mask", kBool, {}, false}};
  graph.outputs = {{"Y", type, {}, false},
                   {"counts", kInt64, {}, false},
                   {"sums", kDouble, {}, false},
                   {"tokens", kInt64, {}, false}};
  const Session gpu(GpuRuntime(), CudaSession(ModelBytes(graph), false));
  const Session cpu(GpuRuntime(), ModelBytes(graph), CATS_LIBRARY);
  std::mt19937 random(3);
  auto a = MlpCase<T>::Normal(random, rows * width, 1.0f);
  const auto u = MlpCase<T>::Normal(random, rows * width, 1.0f);
  if (!a.empty()) a[a.size() / 2] = T::FromFloat(NAN);
  std::vector<float> weight(static_cast<size_t>(width));
  for (size_t i = 0; i < weight.size(); ++i) weight[i] = 0.1f * static_cast<float>(i % 17);
  std::vector<uint8_t> mask(static_cast<size_t>(rows));
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = i % 3 != 1;
  const std::vector<HostTensor> inputs = {
      MakeTensor("A", OnnxOf<T>::kTensor, {rows, width}, a),
      MakeTensor("U", OnnxOf<T>::kTensor, {rows, width}, u),
      MakeTensor("weight", kFloatTensor, {width}, weight),
      MakeTensor("mask", ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, {rows}, mask)};
  const std::vector<std::string> outputs = {"Y", "counts", "sums", "tokens"};
  EXPECT_TRUE(SameBits(cpu.Run(inputs, outputs), gpu.Run(inputs, outputs))) << rows << " x " << width;
}

TEST_F(OrtCuda, GateObserverCountsAsTheCpuDoes) {
  for (const auto& [rows, width] : {std::pair<int64_t, int64_t>{1, 1}, {37, 300}, {64, 5632}, {0, 8}}) {
    ExpectSameCounts<F32>(rows, width);
    ExpectSameCounts<F16>(rows, width);
    ExpectSameCounts<BF16>(rows, width);
  }
}

// A binding whose inputs and outputs stay in device memory, as a captured graph needs them.
template <class T>
class BoundMlp {
 public:
  BoundMlp(OrtSession* session, const MlpCase<T>& mlp)
      : session_(session), rows_(mlp.rows), hidden_(mlp.hidden) {
    const OrtRuntime& runtime = GpuRuntime();
    const OrtApi& api = runtime.api();
    runtime.Check(api.CreateMemoryInfo("Cuda", OrtDeviceAllocator, 0, OrtMemTypeDefault, &memory_));
    runtime.Check(api.CreateIoBinding(session, &binding_));
    for (const HostTensor& input : MlpInputs(mlp, {mlp.rows})) {
      memory_of_.emplace(input.name, std::make_unique<DeviceBytes>(input.bytes));
      runtime.Check(api.BindInput(binding_, input.name.c_str(), Value(input.name, input.dims, input.type)));
    }
    memory_of_.emplace("Y", std::make_unique<DeviceBytes>(static_cast<size_t>(rows_ * hidden_) * sizeof(T)));
    memory_of_.emplace("active", std::make_unique<DeviceBytes>(static_cast<size_t>(rows_) * 4));
    runtime.Check(api.BindOutput(binding_, "Y", Value("Y", {rows_, hidden_}, OnnxOf<T>::kTensor)));
    runtime.Check(
        api.BindOutput(binding_, "active", Value("active", {rows_}, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32)));
  }
  ~BoundMlp() {
    const OrtApi& api = GpuRuntime().api();
    for (OrtValue* value : values_) api.ReleaseValue(value);
    api.ReleaseIoBinding(binding_);
    api.ReleaseMemoryInfo(memory_);
  }

  MlpResult<T> Run(const std::vector<T>& x, float scale) {
    const OrtRuntime& runtime = GpuRuntime();
    memory_of_.at("X")->Set(x);
    memory_of_.at("threshold_scale")->Set(std::vector<float>{scale});
    ThrowIfFailed(cudaDeviceSynchronize());
    runtime.Check(runtime.api().RunWithBinding(session_, nullptr, binding_));
    ThrowIfFailed(cudaDeviceSynchronize());
    MlpResult<T> result;
    result.y = memory_of_.at("Y")->template Host<T>();
    result.active = memory_of_.at("active")->template Host<int32_t>();
    result.ok = true;
    for (const auto& [name, bytes] : memory_of_) result.ok = result.ok && bytes->GuardsHold();
    return result;
  }

 private:
  OrtValue* Value(const std::string& name, const std::vector<int64_t>& dims, ONNXTensorElementDataType type) {
    const DeviceBytes& bytes = *memory_of_.at(name);
    OrtValue* value = nullptr;
    GpuRuntime().Check(GpuRuntime().api().CreateTensorWithDataAsOrtValue(
        memory_, bytes.data(), bytes.size(), dims.data(), dims.size(), type, &value));
    values_.push_back(value);
    return value;
  }

  OrtSession* session_;
  int64_t rows_, hidden_;
  OrtMemoryInfo* memory_ = nullptr;
  OrtIoBinding* binding_ = nullptr;
  std::vector<OrtValue*> values_;
  std::map<std::string, std::unique_ptr<DeviceBytes>> memory_of_;
};

// The graph keeps the neurons of the data that it is replayed with, not of those that it was captured with.
template <class T>
void ExpectReplaysFollowTheirData(int64_t rows, int64_t hidden, int64_t intermediate) {
  SCOPED_TRACE(std::to_string(rows) + " rows of " + NameOf(OnnxOf<T>::kDType));
  const MlpCase<T> mlp = CaseOf<T>(rows, hidden, intermediate);
  const std::string model = ModelBytes(MlpGraph(OnnxOf<T>::kModel));
  const Session captured(GpuRuntime(), CudaSession(model, true));
  const Session eager(GpuRuntime(), CudaSession(model, false));
  BoundMlp<T> with_graph(const_cast<OrtSession*>(captured.get()), mlp);
  BoundMlp<T> without(const_cast<OrtSession*>(eager.get()), mlp);
  std::mt19937 random(9);
  std::vector<int32_t> counts;
  int different = 0;
  for (int run = 0; run < 24; ++run) {
    const float scale = static_cast<float>(run % 4) * 0.6f;
    const auto x = MlpCase<T>::Normal(random, rows * hidden, 1.0f);
    const MlpResult<T> replayed = with_graph.Run(x, scale);
    const MlpResult<T> direct = without.Run(x, scale);
    different += replayed.SameBits(direct) && replayed.ok && direct.ok ? 0 : 1;
    if (run % 4 == 0) {
      EXPECT_EQ(std::vector<int32_t>(static_cast<size_t>(rows), static_cast<int32_t>(intermediate)),
                replayed.active);
    }
    counts.push_back(replayed.active[0]);
  }
  EXPECT_EQ(0, different);
  std::sort(counts.begin(), counts.end());
  EXPECT_GT(std::unique(counts.begin(), counts.end()) - counts.begin(), 4) << "the counts hardly change";
}

TEST_F(OrtCuda, AReplayedGraphFollowsItsDataAndItsThresholdScale) {
  ExpectReplaysFollowTheirData<F16>(1, 2048, 264);
  ExpectReplaysFollowTheirData<BF16>(1, 2048, 264);
  ExpectReplaysFollowTheirData<F32>(1, 2048, 264);
  ExpectReplaysFollowTheirData<F16>(3, 2048, 264);
  ExpectReplaysFollowTheirData<F32>(11, 100, 70);
}

TEST_F(OrtCuda, EightThreadsOfOneSessionGetTheSameBits) {
  for (int64_t rows : {1, 4}) {
    const MlpCase<F16> mlp = CaseOf<F16>(rows, 2048, 264);
    const Session gpu(GpuRuntime(), CudaSession(ModelBytes(MlpGraph(kFloat16)), false));
    const auto inputs = MlpInputs(mlp, {rows});
    const auto expected = gpu.Run(inputs, {"Y", "active"});
    int different[8] = {};
    std::vector<std::thread> threads;
    for (int n = 0; n < 8; ++n) {
      threads.emplace_back([&, n] {
        for (int run = 0; run < 40; ++run) {
          different[n] += SameBits(expected, gpu.Run(inputs, {"Y", "active"})) ? 0 : 1;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(0, std::accumulate(different, different + 8, 0)) << rows << " rows";
  }
}

}  // namespace
}  // namespace cats::test
