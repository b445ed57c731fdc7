// SPDX-License-Identifier: MIT
// One-node models of each op, their random inputs, and the opened runtimes, for ort_*_test.cc.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/skip_rms_norm.h"
#include "support/mlp_case.h"
#include "support/onnx_model.h"
#include "support/ort_runtime.h"

namespace cats::test {

// The runtime of the NuGet package; opened once per process.
inline const OrtRuntime& Runtime() {
  static const OrtRuntime& runtime = *new OrtRuntime(CATS_ORT_LIBRARY);
  return runtime;
}

inline std::string OldRuntimePath(const std::string& version) {
  return std::string(CATS_OLD_ORT_DIR) + "/ort-cpu-" + version + "/libonnxruntime.so." + version;
}

template <class T>
struct OnnxOf;
template <>
struct OnnxOf<F32> {
  static constexpr DType kDType = DType::kF32;
  static constexpr OnnxType kModel = kFloat;
  static constexpr ONNXTensorElementDataType kTensor = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
};
template <>
struct OnnxOf<F16> {
  static constexpr DType kDType = DType::kF16;
  static constexpr OnnxType kModel = kFloat16;
  static constexpr ONNXTensorElementDataType kTensor = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
};
template <>
struct OnnxOf<BF16> {
  static constexpr DType kDType = DType::kBF16;
  static constexpr OnnxType kModel = kBFloat16;
  static constexpr ONNXTensorElementDataType kTensor = ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16;
};

constexpr ONNXTensorElementDataType kFloatTensor = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;

// SparseGatedMlp with graph inputs of no declared shape, so that any shape reaches the kernel.
inline Graph MlpGraph(int type, bool with_active = true, std::vector<Attribute> attributes = {}) {
  Graph graph;
  const std::vector<std::string> inputs = {"X",         "gate",    "up",        "down",           "threshold",
                                           "gate_bias", "up_bias", "down_bias", "threshold_scale"};
  graph.nodes = {{"SparseGatedMlp",
                  "ai.cats",
                  "layer.0/mlp",
                  inputs,
                  {"Y", with_active ? "active" : ""},
                  std::move(attributes)}};
  for (const std::string& name : inputs) {
    const bool is_float = name == "threshold" || name == "threshold_scale";
    graph.inputs.push_back({name, is_float ? kFloat : type, {}, false});
  }
  graph.outputs = {{"Y", type, {}, false}};
  if (with_active) graph.outputs.push_back({"active", kInt32, {}, false});
  return graph;
}

// The inputs of that graph for a case, X with the given leading dimensions.
template <class T>
std::vector<HostTensor> MlpInputs(const MlpCase<T>& mlp, std::vector<int64_t> leading,
                                  std::vector<float> scale = {1.0f}) {
  constexpr auto type = OnnxOf<T>::kTensor;
  const std::vector<int64_t> weights = {mlp.intermediate, mlp.hidden};
  std::vector<int64_t> scale_dims;
  if (scale.size() > 1) scale_dims = leading;
  leading.push_back(mlp.hidden);
  std::vector<int64_t> threshold_dims;
  if (mlp.threshold.size() > 1) threshold_dims = {mlp.intermediate};
  return {MakeTensor("X", type, leading, mlp.x),
          MakeTensor("gate", type, weights, mlp.gate),
          MakeTensor("up", type, weights, mlp.up),
          MakeTensor("down", type, weights, mlp.down),
          MakeTensor("threshold", kFloatTensor, threshold_dims, mlp.threshold),
          MakeTensor("gate_bias", type, {mlp.intermediate}, mlp.gate_bias),
          MakeTensor("up_bias", type, {mlp.intermediate}, mlp.up_bias),
          MakeTensor("down_bias", type, {mlp.hidden}, mlp.down_bias),
          MakeTensor("threshold_scale", kFloatTensor, scale_dims, scale)};
}

// The same with the residual addition and norm in front of it.
inline Graph NormedMlpGraph(int type) {
  Graph graph = MlpGraph(type);
  Node& node = graph.nodes[0];
  node.op = "SkipRMSNormSparseGatedMlp";
  const std::vector<std::string> own = {"skip", "norm_weight", "norm_epsilon"};
  node.inputs.insert(node.inputs.begin() + 1, own.begin(), own.end());
  node.outputs.push_back("sum");
  for (const std::string& name : own) {
    graph.inputs.push_back({name, name == "norm_epsilon" ? static_cast<int>(kFloat) : type, {}, false});
  }
  graph.outputs.push_back({"sum", type, {}, false});
  return graph;
}

// What is added to x, and the norm's weights.
template <class T>
struct NormCase {
  int64_t rows, hidden, skip_rows;
  std::vector<T> x, skip, weight;
  std::vector<float> epsilon{1e-5f};

  NormCase(int64_t rows_, int64_t hidden_, int64_t skip_rows_, uint32_t seed = 1)
      : rows(rows_), hidden(hidden_), skip_rows(skip_rows_) {
    std::mt19937 random(seed);
    x = MlpCase<T>::Normal(random, rows * hidden, 2.0f);
    skip = MlpCase<T>::Normal(random, skip_rows * hidden, 1.0f);
    weight = MlpCase<T>::Normal(random, hidden, 1.0f);
  }

  SkipRmsNormArgs Args() const {
    return {rows, hidden, skip_rows, x.data(), skip.data(), weight.data(), epsilon.data(), nullptr, nullptr};
  }

  // In double, each result rounded once where the definition rounds.
  void Reference(std::vector<T>* sum, std::vector<double>* normed) const {
    sum->resize(x.size());
    normed->resize(x.size());
    for (int64_t row = 0; row < rows; ++row) {
      double squares = 0.0;
      for (int64_t j = 0; j < hidden; ++j) {
        const auto at = static_cast<size_t>(row * hidden + j);
        const auto of_skip = static_cast<size_t>(row % skip_rows * hidden + j);
        (*sum)[at] = T::FromFloat(T::ToFloat(x[at]) + T::ToFloat(skip[of_skip]));
        const auto v = static_cast<double>(T::ToFloat((*sum)[at]));
        squares += v * v;
      }
      for (int64_t j = 0; j < hidden; ++j) {
        const auto at = static_cast<size_t>(row * hidden + j);
        (*normed)[at] = static_cast<double>(T::ToFloat((*sum)[at])) /
                        std::sqrt(squares / static_cast<double>(hidden) + static_cast<double>(epsilon[0])) *
                        static_cast<double>(T::ToFloat(weight[static_cast<size_t>(j)]));
      }
    }
  }
};

// The inputs of NormedMlpGraph: the MLP's but for X.
template <class T>
std::vector<HostTensor> NormedMlpInputs(const MlpCase<T>& mlp, const NormCase<T>& norm,
                                        std::vector<int64_t> leading, std::vector<int64_t> skip_leading,
                                        std::vector<float> scale = {1.0f}) {
  constexpr auto type = OnnxOf<T>::kTensor;
  auto inputs = MlpInputs(mlp, leading, std::move(scale));
  leading.push_back(norm.hidden);
  skip_leading.push_back(norm.hidden);
  inputs[0] = MakeTensor("X", type, leading, norm.x);
  inputs.push_back(MakeTensor("skip", type, skip_leading, norm.skip));
  inputs.push_back(MakeTensor("norm_weight", type, {norm.hidden}, norm.weight));
  inputs.push_back(MakeTensor("norm_epsilon", kFloatTensor, {}, norm.epsilon));
  return inputs;
}

inline bool SameBits(const std::vector<HostTensor>& a, const std::vector<HostTensor>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].dims != b[i].dims || a[i].bytes != b[i].bytes) return false;
  }
  return a.size() == b.size();
}

// The text of what `body` throws; "" if it throws nothing.
template <class Body>
std::string ErrorOf(Body body) {
  try {
    body();
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace cats::test
