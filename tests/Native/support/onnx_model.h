// SPDX-License-Identifier: MIT
// Writes small ONNX models as protobuf bytes, field by field, so that the native tests need no protobuf.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace cats::test {

class Message {
 public:
  Message& Int(int field, int64_t value) {
    Varint(static_cast<uint64_t>(field) << 3);
    Varint(static_cast<uint64_t>(value));
    return *this;
  }
  Message& Float(int field, float value) {
    Varint(static_cast<uint64_t>(field) << 3 | 5);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Message& Text(int field, const std::string& value) {
    Varint(static_cast<uint64_t>(field) << 3 | 2);
    Varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& Sub(int field, const Message& value) { return Text(field, value.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void Varint(uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_ += static_cast<char>(value | 128);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

enum OnnxType : int {
  kFloat = 1,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kBFloat16 = 16
};

struct ValueInfo {
  std::string name;
  int type;
  std::vector<std::string> dims;  // a number, a symbol, or "" for unknown
  bool has_shape = true;
};

struct Attribute {
  std::string name;
  std::variant<std::string, int64_t, float> value;
};

struct Node {
  std::string op;
  std::string domain;
  std::string name;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<Attribute> attributes;
};

struct Graph {
  std::vector<Node> nodes;
  std::vector<ValueInfo> inputs;
  std::vector<ValueInfo> outputs;
  int64_t cats_version = 1;
};

inline Message ToMessage(const ValueInfo& info) {
  Message tensor;
  tensor.Int(1, info.type);
  if (info.has_shape) {
    Message shape;
    for (const std::string& dim : info.dims) {
      Message entry;
      if (!dim.empty() && dim.find_first_not_of("0123456789") == std::string::npos) {
        entry.Int(1, std::stoll(dim));
      } else if (!dim.empty()) {
        entry.Text(2, dim);
      }
      shape.Sub(1, entry);
    }
    tensor.Sub(2, shape);
  }
  return Message().Text(1, info.name).Sub(2, Message().Sub(1, tensor));
}

inline Message ToMessage(const Node& node) {
  Message message;
  for (const std::string& name : node.inputs) message.Text(1, name);
  for (const std::string& name : node.outputs) message.Text(2, name);
  message.Text(3, node.name).Text(4, node.op);
  for (const Attribute& attribute : node.attributes) {
    Message entry;
    entry.Text(1, attribute.name);
    if (const auto* text = std::get_if<std::string>(&attribute.value)) entry.Text(4, *text).Int(20, 3);
    if (const auto* integer = std::get_if<int64_t>(&attribute.value)) entry.Int(3, *integer).Int(20, 2);
    if (const auto* number = std::get_if<float>(&attribute.value)) entry.Float(2, *number).Int(20, 1);
    message.Sub(5, entry);
  }
  return message.Text(7, node.domain);
}

inline std::string ModelBytes(const Graph& graph) {
  Message message;
  for (const Node& node : graph.nodes) message.Sub(1, ToMessage(node));
  message.Text(2, "test");
  for (const ValueInfo& info : graph.inputs) message.Sub(11, ToMessage(info));
  for (const ValueInfo& info : graph.outputs) message.Sub(12, ToMessage(info));
  return Message()
      .Int(1, 10)
      .Sub(7, message)
      .Sub(8, Message().Text(1, "").Int(2, 21))
      .Sub(8, Message().Text(1, "ai.cats").Int(2, graph.cats_version))
      .bytes();
}

}  // namespace cats::test
