// SPDX-License-Identifier: MIT
// A real ONNX Runtime, opened by dlopen, and sessions in it with libcats_onnx registered by its path.
#pragma once
#include <dlfcn.h>
#include <onnxruntime_c_api.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace cats::test {

struct HostTensor {
  std::string name;
  ONNXTensorElementDataType type;
  std::vector<int64_t> dims;
  std::vector<uint8_t> bytes;

  template <class V>
  std::vector<V> As() const {
    std::vector<V> values(bytes.size() / sizeof(V));
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
};

template <class V>
HostTensor MakeTensor(std::string name, ONNXTensorElementDataType type, std::vector<int64_t> dims,
                      const std::vector<V>& values) {
  HostTensor tensor{std::move(name), type, std::move(dims), {}};
  tensor.bytes.resize(values.size() * sizeof(V));
  if (!values.empty()) std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

class OrtError : public std::runtime_error {
  using runtime_error::runtime_error;
};

class OrtRuntime {
 public:
  explicit OrtRuntime(const std::string& path) {
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) throw OrtError(dlerror());
    auto get = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"));
    if (get == nullptr) throw OrtError(dlerror());
    base_ = get();
    const char* version = base_->GetVersionString();
    api_ = base_->GetApi(static_cast<uint32_t>(std::stoul(std::strchr(version, '.') + 1)));
    Check(api_->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "test", &env_));
  }

  const OrtApiBase* base() const { return base_; }
  const OrtApi& api() const { return *api_; }
  OrtEnv* env() const { return env_; }

  // Throws the status's text.
  void Check(OrtStatus* status) const {
    if (status == nullptr) return;
    const std::string message = api_->GetErrorMessage(status);
    api_->ReleaseStatus(status);
    throw OrtError(message);
  }

 private:
  const OrtApiBase* base_ = nullptr;
  const OrtApi* api_ = nullptr;
  OrtEnv* env_ = nullptr;  // lives as long as the process, as the runtime does
};

class Session {
 public:
  Session(const OrtRuntime& runtime, const std::string& model, const std::string& cats_library,
          int threads = 1, GraphOptimizationLevel level = ORT_ENABLE_ALL)
      : runtime_(runtime) {
    const OrtApi& api = runtime.api();
    OrtSessionOptions* options = nullptr;
    runtime.Check(api.CreateSessionOptions(&options));
    try {
      runtime.Check(api.SetIntraOpNumThreads(options, threads));
      runtime.Check(api.SetSessionGraphOptimizationLevel(options, level));
      if (!cats_library.empty())
        runtime.Check(api.RegisterCustomOpsLibrary_V2(options, cats_library.c_str()));
      runtime.Check(
          api.CreateSessionFromArray(runtime.env(), model.data(), model.size(), options, &session_));
    } catch (...) {
      api.ReleaseSessionOptions(options);
      throw;
    }
    api.ReleaseSessionOptions(options);
  }
  // Takes over a session that was made elsewhere.
  Session(const OrtRuntime& runtime, OrtSession* session) : runtime_(runtime), session_(session) {}
  ~Session() { runtime_.api().ReleaseSession(session_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const OrtSession* get() const { return session_; }

  std::vector<HostTensor> Run(const std::vector<HostTensor>& inputs,
                              const std::vector<std::string>& outputs) const {
    const OrtApi& api = runtime_.api();
    OrtMemoryInfo* memory = nullptr;
    runtime_.Check(api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
    std::vector<const char*> input_names, output_names;
    std::vector<OrtValue*> input_values;
    static uint8_t nothing[1];
    for (const HostTensor& input : inputs) {
      OrtValue* value = nullptr;
      void* data = input.bytes.empty() ? nothing : const_cast<uint8_t*>(input.bytes.data());
      runtime_.Check(api.CreateTensorWithDataAsOrtValue(memory, data, input.bytes.size(), input.dims.data(),
                                                        input.dims.size(), input.type, &value));
      input_names.push_back(input.name.c_str());
      input_values.push_back(value);
    }
    for (const std::string& name : outputs) output_names.push_back(name.c_str());
    std::vector<OrtValue*> output_values(outputs.size(), nullptr);
    OrtStatus* status =
        api.Run(session_, nullptr, input_names.data(), input_values.data(), input_values.size(),
                output_names.data(), output_names.size(), output_values.data());
    for (OrtValue* value : input_values) api.ReleaseValue(value);
    api.ReleaseMemoryInfo(memory);
    runtime_.Check(status);
    std::vector<HostTensor> results;
    for (size_t i = 0; i < outputs.size(); ++i) results.push_back(Copy(outputs[i], output_values[i]));
    return results;
  }

 private:
  HostTensor Copy(const std::string& name, OrtValue* value) const {
    const OrtApi& api = runtime_.api();
    OrtTensorTypeAndShapeInfo* info = nullptr;
    runtime_.Check(api.GetTensorTypeAndShape(value, &info));
    HostTensor tensor{name, ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED, {}, {}};
    size_t rank = 0, count = 0;
    runtime_.Check(api.GetTensorElementType(info, &tensor.type));
    runtime_.Check(api.GetDimensionsCount(info, &rank));
    tensor.dims.resize(rank);
    runtime_.Check(api.GetDimensions(info, tensor.dims.data(), rank));
    runtime_.Check(api.GetTensorShapeElementCount(info, &count));
    api.ReleaseTensorTypeAndShapeInfo(info);
    void* data = nullptr;
    runtime_.Check(api.GetTensorMutableData(value, &data));
    tensor.bytes.resize(count * Size(tensor.type));
    if (!tensor.bytes.empty()) std::memcpy(tensor.bytes.data(), data, tensor.bytes.size());
    api.ReleaseValue(value);
    return tensor;
  }

  static size_t Size(ONNXTensorElementDataType type) {
    switch (type) {
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
        return 4;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
        return 8;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
        return 1;
      default:
        return 2;
    }
  }

  const OrtRuntime& runtime_;
  OrtSession* session_ = nullptr;
};

}  // namespace cats::test
