// SPDX-License-Identifier: MIT
// What the tests on ONNX Runtime's CUDA provider share: the runtime, sessions, an MLP bound to device memory,
// and the two comparisons that every path must pass.
#pragma once
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "support/cats_models.h"
#include "support/cuda_device.h"
#include "support/tolerances.h"

namespace cats::test {

// Why there is nothing to test on; "" if there is.
inline std::string Missing() {
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

inline const OrtRuntime& GpuRuntime() {
  static const OrtRuntime& runtime = *new OrtRuntime(std::getenv("CATS_ORT_GPU_LIBRARY"));
  return runtime;
}

// A session on the CUDA provider; every node must be placed there.
inline OrtSession* CudaSession(const std::string& model, bool graph) {
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
  // ONNX Runtime's Gemm may round partial sums to T (cuBLAS), so a small activation has a large relative
  // error.
  mlp.ThresholdsInGaps(reference::Activations<T>(mlp.Args()), 0.05f);
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
  MlpCase<T> mlp = CaseOf<T>(rows, hidden, intermediate);
  for (size_t i = 0; i < mlp.threshold.size(); ++i) mlp.threshold[i] = 0.05f * static_cast<float>(1 + i % 5);
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

}  // namespace cats::test
