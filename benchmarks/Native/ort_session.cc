// SPDX-License-Identifier: MIT
// The dense graph is built with ONNX Runtime's model editor, the one of the custom op, which the editor does
// not know, as a few bytes of protobuf; no file is written.
#include "ort_session.h"

#include <dlfcn.h>

#include <chrono>
#include <stdexcept>

namespace cats::bench {
namespace {

std::string version;

Ort::MemoryInfo Cpu() { return Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault); }

size_t SizeOf(ONNXTensorElementDataType type) { return type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT ? 4 : 2; }

Ort::Value View(void* data, ONNXTensorElementDataType type, const std::vector<int64_t>& shape) {
  size_t bytes = SizeOf(type);
  for (int64_t dim : shape) bytes *= static_cast<size_t>(dim);
  return Ort::Value::CreateTensor(Cpu(), data, bytes, shape.data(), shape.size(), type);
}

Ort::ValueInfo Describe(const char* name, ONNXTensorElementDataType type, const std::vector<int64_t>& shape) {
  const Ort::TensorTypeAndShapeInfo tensor(type, shape);
  const Ort::TypeInfo info = Ort::TypeInfo::CreateTensorInfo(tensor.GetConst());
  return Ort::ValueInfo(name, info.GetConst());
}

void AddNode(Ort::Graph& graph, const char* op, const char* domain, const std::vector<std::string>& inputs,
             const std::string& output) {
  Ort::Node node(op, domain, output, inputs, {output});
  graph.AddNode(node);
}

void AddWeight(Ort::Graph& graph, const char* name, void* data, const MlpWeights& weights,
               bool neuron_major) {
  Ort::Value value = View(data, weights.type,
                          neuron_major ? std::vector<int64_t>{weights.intermediate, weights.hidden}
                                       : std::vector<int64_t>{weights.hidden, weights.intermediate});
  graph.AddInitializer(name, value, true);
}

constexpr const char* kInputs[] = {"x", "gate", "up", "down", "threshold"};

// Protobuf fields: varint (wire type 0) and length-delimited (2).
std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}
std::string Field(uint32_t number, uint64_t value) { return Varint(number << 3) + Varint(value); }
std::string Field(uint32_t number, const std::string& bytes) {
  return Varint(number << 3 | 2) + Varint(bytes.size()) + bytes;
}

std::string ValueInfoProto(const char* name, ONNXTensorElementDataType type,
                           const std::vector<int64_t>& dims) {
  std::string shape;
  for (int64_t dim : dims) {
    shape += Field(1, dim < 0 ? Field(2, std::string("rows")) : Field(1, static_cast<uint64_t>(dim)));
  }
  return Field(1, std::string(name)) +
         Field(2, Field(1, Field(1, static_cast<uint64_t>(type)) + Field(2, shape)));
}

// The weights are inputs, which cost the op nothing: it takes them where they lie, as it does initializers.
std::string SparseModel(const MlpWeights& weights) {
  const std::vector<int64_t> matrix{weights.intermediate, weights.hidden};
  std::string node;
  for (const char* input : kInputs) node += Field(1, std::string(input));
  node +=
      Field(2, std::string("y")) + Field(4, std::string("SparseGatedMlp")) + Field(7, std::string("ai.cats"));
  std::string graph = Field(1, node) + Field(2, std::string("mlp"));
  graph += Field(11, ValueInfoProto("x", weights.type, {-1, weights.hidden}));
  for (const char* name : {"gate", "up", "down"})
    graph += Field(11, ValueInfoProto(name, weights.type, matrix));
  graph += Field(11, ValueInfoProto("threshold", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, {}));
  graph += Field(12, ValueInfoProto("y", weights.type, {-1, weights.hidden}));
  const std::string onnx = Field(2, uint64_t{17});
  const std::string cats = Field(1, std::string("ai.cats")) + Field(2, uint64_t{1});
  return Field(1, uint64_t{8}) + Field(7, graph) + Field(8, onnx) + Field(8, cats);
}

Ort::Session Build(const Ort::Env& env, Ort::Graph& graph,
                   const std::vector<Ort::Model::DomainOpsetPair>& opsets, Ort::SessionOptions& options) {
  options.DisablePerSessionThreads();
  Ort::Model model(opsets);
  model.AddGraph(graph);
  return Ort::Session(env, model, options);
}

}  // namespace

Ort::Env StartOrt(const std::string& library, int threads) {
  void* handle = dlopen(library.c_str(), RTLD_NOW);
  if (handle == nullptr) throw std::runtime_error(dlerror());
  const auto base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"));
  if (base == nullptr) throw std::runtime_error(library + " has no OrtGetApiBase");
  version = base()->GetVersionString();
  const OrtApi* api = base()->GetApi(ORT_API_VERSION);
  if (api == nullptr) {
    throw std::runtime_error(library + " is ONNX Runtime " + version +
                             ", older than the headers (API version " + std::to_string(ORT_API_VERSION) +
                             ")");
  }
  Ort::InitApi(api);
  Ort::ThreadingOptions threading;
  threading.SetGlobalIntraOpNumThreads(threads);
  threading.SetGlobalInterOpNumThreads(1);
  return Ort::Env(threading, ORT_LOGGING_LEVEL_ERROR, "mlp_bench");
}

std::string OrtVersion() { return version; }

MlpSession MlpSession::Dense(const Ort::Env& env, const MlpWeights& weights) {
  Ort::Graph graph;
  std::vector<Ort::ValueInfo> inputs, outputs;
  inputs.push_back(Describe("x", weights.type, {-1, weights.hidden}));
  outputs.push_back(Describe("y", weights.type, {-1, weights.hidden}));
  graph.SetInputs(inputs);
  graph.SetOutputs(outputs);
  AddWeight(graph, "gate", weights.gate, weights, false);
  AddWeight(graph, "up", weights.up, weights, false);
  AddWeight(graph, "down", weights.down, weights, true);
  AddNode(graph, "MatMul", "", {"x", "gate"}, "g");
  AddNode(graph, "Sigmoid", "", {"g"}, "s");
  AddNode(graph, "Mul", "", {"g", "s"}, "a");
  AddNode(graph, "MatMul", "", {"x", "up"}, "u");
  AddNode(graph, "Mul", "", {"a", "u"}, "h");
  AddNode(graph, "MatMul", "", {"h", "down"}, "y");
  Ort::SessionOptions options;
  MlpSession session;
  session.type_ = weights.type;
  session.hidden_ = weights.hidden;
  session.session_ = Build(env, graph, {{"", 17}}, options);
  return session;
}

MlpSession MlpSession::Sparse(const Ort::Env& env, const std::string& library, const MlpWeights& weights) {
  Ort::SessionOptions options;
  options.RegisterCustomOpsLibrary(library.c_str());
  options.DisablePerSessionThreads();
  const std::string model = SparseModel(weights);
  MlpSession session;
  session.type_ = weights.type;
  session.hidden_ = weights.hidden;
  const std::vector<int64_t> shape{weights.intermediate, weights.hidden};
  for (void* matrix : {weights.gate, weights.up, weights.down}) {
    session.matrices_.push_back(View(matrix, weights.type, shape));
  }
  session.session_ = Ort::Session(env, model.data(), model.size(), options);
  return session;
}

double MlpSession::Run(void* x, void* y, int64_t rows, float threshold) {
  const Ort::Value tokens = View(x, type_, {rows, hidden_});
  const Ort::Value level = View(&threshold, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, {});
  Ort::Value output = View(y, type_, {rows, hidden_});
  std::vector<const OrtValue*> inputs{tokens};
  if (!matrices_.empty()) {
    for (const Ort::Value& matrix : matrices_) inputs.push_back(matrix);
    inputs.push_back(level);
  }
  const char* output_name = "y";
  OrtValue* outputs[] = {output};
  const auto start = std::chrono::steady_clock::now();
  Ort::ThrowOnError(
      Ort::GetApi().Run(session_, nullptr, kInputs, inputs.data(), inputs.size(), &output_name, 1, outputs));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace cats::bench
