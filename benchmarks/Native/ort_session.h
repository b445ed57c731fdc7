// SPDX-License-Identifier: MIT
// ONNX Runtime sessions of one gated MLP: its own dense nodes, and the custom op. Both share one pool of
// threads, so that neither spins while the other is timed.
#pragma once
#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cats::bench {

// Loads libonnxruntime and makes the environment with `threads` threads. Throws std::runtime_error.
Ort::Env StartOrt(const std::string& library, int threads);
std::string OrtVersion();

struct MlpWeights {
  ONNXTensorElementDataType type;
  int64_t hidden;
  int64_t intermediate;
  void* gate;  // [hidden, intermediate] for DenseMlp, [intermediate, hidden] for SparseMlp
  void* up;    // as gate
  void* down;  // [intermediate, hidden]
};

class MlpSession {
 public:
  // MatMul, Sigmoid, Mul: what exporters write.
  static MlpSession Dense(const Ort::Env& env, const MlpWeights& weights);
  // SparseGatedMlp of the library at that path; its weights are used in place and must stay.
  static MlpSession Sparse(const Ort::Env& env, const std::string& library, const MlpWeights& weights);

  // x, y: T [rows, hidden]. threshold: used by the sparse session alone. Returns the seconds of Run.
  double Run(void* x, void* y, int64_t rows, float threshold);

 private:
  ONNXTensorElementDataType type_ = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  int64_t hidden_ = 0;
  std::vector<Ort::Value> matrices_;  // gate, up, down of the sparse session
  Ort::Session session_{nullptr};
};

}  // namespace cats::bench
