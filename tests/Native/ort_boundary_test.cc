// SPDX-License-Identifier: MIT
// The ops inside real ONNX Runtimes: versions, shapes, types, attributes, optional values, zero sizes.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "support/cats_models.h"
#include "support/tolerances.h"

namespace cats::test {
namespace {

template <class T>
void ExpectMlpMatches(const OrtRuntime& runtime, const std::vector<int64_t>& leading) {
  const int64_t rows = std::accumulate(leading.begin(), leading.end(), int64_t{1}, std::multiplies<>());
  MlpCase<T> mlp(rows, 48, 70, 21, true);
  const auto a = reference::Activations<T>(mlp.Args());
  mlp.ThresholdsInGaps(a);
  const auto kept = reference::Mask(mlp.Args(), a);
  const Session session(runtime, ModelBytes(MlpGraph(OnnxOf<T>::kModel)), CATS_LIBRARY, 2);
  const std::vector<HostTensor> outputs = session.Run(MlpInputs(mlp, leading), {"Y", "active"});
  std::vector<int64_t> y_dims = leading;
  y_dims.push_back(48);
  EXPECT_EQ(y_dims, outputs[0].dims);
  EXPECT_EQ(leading, outputs[1].dims);
  const auto expected = reference::Output<T>(mlp.Args(), a, kept);
  EXPECT_LE(RelativeError(outputs[0].As<T>(), expected), ToleranceOf(OnnxOf<T>::kDType));
  const auto active = outputs[1].As<int32_t>();
  for (size_t row = 0; row < active.size(); ++row) {
    EXPECT_EQ(std::accumulate(kept.begin() + static_cast<int64_t>(row) * 70,
                              kept.begin() + static_cast<int64_t>(row + 1) * 70, 0),
              active[row]);
  }
}

// Every op in one graph, of each format.
template <class T>
void ExpectAllOpsRun(const OrtRuntime& runtime) {
  constexpr int type = OnnxOf<T>::kModel;
  Graph graph;
  graph.nodes = {{"CatsThreshold", "ai.cats", "threshold", {"a", "t"}, {"sparse"}, {}},
                 {"GateObserver",
                  "ai.cats",
                  "observer",
                  {"sparse", "u", "", "mask"},
                  {"passed", "counts", "sums", "tokens"},
                  {}}};
  graph.inputs = {
      {"a", type, {"b", "i"}}, {"t", kFloat, {}}, {"u", type, {"b", "i"}}, {"mask", kBool, {"b"}}};
  graph.outputs = {{"passed", type, {"b", "i"}},
                   {"counts", kInt64, {"32768"}},
                   {"sums", kDouble, {"i"}},
                   {"tokens", kInt64, {}}};
  const Session session(runtime, ModelBytes(graph), CATS_LIBRARY);
  const auto value = [](float v) { return T::FromFloat(v); };
  const std::vector<HostTensor> outputs = session.Run(
      {MakeTensor<T>("a", OnnxOf<T>::kTensor, {2, 2},
                     {value(0.5f), value(-0.125f), value(0.25f), value(-4.0f)}),
       MakeTensor<float>("t", kFloatTensor, {}, {0.25f}),
       MakeTensor<T>("u", OnnxOf<T>::kTensor, {2, 2}, {value(1.0f), value(-2.0f), value(3.0f), value(-4.0f)}),
       MakeTensor<uint8_t>("mask", ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, {2}, {0, 1})},
      {"passed", "counts", "sums", "tokens"});
  const auto passed = outputs[0].As<T>();
  const float expected[] = {0.5f, 0.0f, 0.25f, -4.0f};
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(expected[i], T::ToFloat(passed[i]));
  const auto counts = outputs[1].As<int64_t>();
  ASSERT_EQ(32768u, counts.size());
  EXPECT_EQ(1, counts[BitsOf(0.25f) >> 16]);
  EXPECT_EQ(1, counts[BitsOf(4.0f) >> 16]);
  EXPECT_EQ(2, std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  EXPECT_EQ((std::vector<double>{3.0, 4.0}), outputs[2].As<double>());
  EXPECT_EQ(1, outputs[3].As<int64_t>()[0]);
}

TEST(OrtVersions, EveryOpRunsInEveryFormatOnTheBuiltVersion) {
  ExpectAllOpsRun<F32>(Runtime());
  ExpectAllOpsRun<F16>(Runtime());
  ExpectAllOpsRun<BF16>(Runtime());
}

TEST(OrtVersions, EveryOpRunsInEveryFormatOn1Point28WhichMayShareTheProcess) {
  const std::string path = OldRuntimePath("1.28.0");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here (../shared/device)";
  const OrtRuntime oldest(path);
  ExpectAllOpsRun<F32>(oldest);
  ExpectAllOpsRun<F16>(oldest);
  ExpectAllOpsRun<BF16>(oldest);
  ExpectMlpMatches<F32>(oldest, {2, 3});
  ExpectMlpMatches<F16>(oldest, {2, 3});
  ExpectMlpMatches<BF16>(oldest, {2, 3});
  ExpectAllOpsRun<F32>(Runtime());
}

TEST(OrtVersions, AnOlderOneGetsAStatusThatNamesBothVersions) {
  const std::string path = OldRuntimePath("1.23.2");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here (../shared/device)";
  const OrtRuntime too_old(path);
  const std::string error = ErrorOf([&] { Session(too_old, ModelBytes(MlpGraph(kFloat)), CATS_LIBRARY); });
  for (const char* part : {"libcats_onnx", "1.28", "1.23.2"})
    EXPECT_NE(std::string::npos, error.find(part)) << error;
}

TEST(OrtShapes, EveryLeadingShapeOfEveryFormat) {
  for (const std::vector<int64_t>& leading :
       std::vector<std::vector<int64_t>>{{}, {1}, {5}, {1, 1}, {2, 3}, {2, 1, 3}, {1, 2, 1, 2}}) {
    ExpectMlpMatches<F32>(Runtime(), leading);
    ExpectMlpMatches<F16>(Runtime(), leading);
    ExpectMlpMatches<BF16>(Runtime(), leading);
  }
}

TEST(OrtShapes, ZeroSizes) {
  const Session session(Runtime(), ModelBytes(MlpGraph(kFloat)), CATS_LIBRARY);
  struct Case {
    std::vector<int64_t> leading;
    int64_t hidden, intermediate;
  };
  for (const auto& [leading, hidden, intermediate] : {Case{{0}, 8, 6}, Case{{2, 0}, 8, 6}, Case{{0, 3}, 8, 6},
                                                      Case{{2}, 8, 0}, Case{{2}, 0, 6}, Case{{0}, 0, 0}}) {
    const int64_t rows = std::accumulate(leading.begin(), leading.end(), int64_t{1}, std::multiplies<>());
    MlpCase<F32> mlp(rows, hidden, intermediate, 3, true);
    const std::vector<HostTensor> outputs = session.Run(MlpInputs(mlp, leading), {"Y", "active"});
    EXPECT_EQ(static_cast<size_t>(rows * hidden) * 4, outputs[0].bytes.size());
    EXPECT_EQ(leading, outputs[1].dims);
    const auto y = outputs[0].As<float>();
    for (size_t i = 0; intermediate == 0 && i < y.size(); ++i) {
      EXPECT_EQ(mlp.down_bias[i % static_cast<size_t>(hidden)].value, y[i]);
    }
  }
}

TEST(OrtShapes, AWrongShapeOfAnyInputIsNamedWithBothShapes) {
  MlpCase<F32> mlp(2, 8, 6, 4, true);
  const Session session(Runtime(), ModelBytes(MlpGraph(kFloat)), CATS_LIBRARY);
  const auto good = MlpInputs(mlp, {2});
  ASSERT_EQ("", ErrorOf([&] { session.Run(good, {"Y"}); }));
  struct Wrong {
    size_t input;
    std::vector<std::vector<int64_t>> dims;
  };
  int cases = 0;
  for (const auto& [input, shapes] :
       {Wrong{0, {{}, {7}, {2, 9}, {2, 2, 4}, {8, 2}}},
        Wrong{1, {{}, {6}, {8, 6}, {6, 7}, {6, 8, 1}, {1, 6, 8}}},
        Wrong{2, {{}, {48}, {8, 6}, {5, 8}, {7, 8}, {6, 9}, {6, 8, 1}}},
        Wrong{3, {{}, {48}, {8, 6}, {5, 8}, {7, 8}, {6, 9}, {6, 8, 1}, {0, 8}}},
        Wrong{4, {{5}, {7}, {8}, {1, 6}, {6, 1}, {0}, {2, 6}}}, Wrong{5, {{}, {5}, {7}, {1}, {1, 6}, {0}}},
        Wrong{6, {{}, {5}, {7}, {1}, {6, 1}, {0}}}, Wrong{7, {{}, {6}, {7}, {9}, {1}, {1, 8}}},
        Wrong{8, {{3}, {1, 2}, {6}, {2, 2}, {0}}}}) {
    for (const std::vector<int64_t>& dims : shapes) {
      auto inputs = good;
      const int64_t count = std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
      inputs[input] = MakeTensor(good[input].name, kFloatTensor, dims,
                                 std::vector<float>(static_cast<size_t>(count), 0.5f));
      const std::string error = ErrorOf([&] { session.Run(inputs, {"Y"}); });
      // A wrong X shows at the first input that does not fit it.
      const std::string name = input == 0 && !dims.empty() ? "gate" : good[input].name;
      for (const std::string& part : {std::string("SparseGatedMlp 'layer.0/mlp'"),
                                      "'" + name + "' has shape [", std::string("expected")}) {
        EXPECT_NE(std::string::npos, error.find(part)) << "input " << good[input].name << ": " << error;
      }
      ++cases;
    }
  }
  EXPECT_EQ(56, cases);
  EXPECT_EQ("", ErrorOf([&] { session.Run(good, {"Y"}); }));  // the session still works
}

TEST(OrtShapes, WrongShapesOfTheOtherOpsAreNamed) {
  Graph graph;
  graph.nodes = {
      {"CatsThreshold", "ai.cats", "t", {"a", "threshold", "scale"}, {"y"}, {}},
      {"GateObserver", "ai.cats", "o", {"a", "u", "w", "mask"}, {"passed", "counts", "sums", "tokens"}, {}}};
  graph.inputs = {{"a", kFloat, {}, false}, {"threshold", kFloat, {}, false}, {"scale", kFloat, {}, false},
                  {"u", kFloat, {}, false}, {"w", kFloat, {}, false},         {"mask", kBool, {}, false}};
  graph.outputs = {{"y", kFloat, {}, false}, {"sums", kDouble, {}, false}};
  const Session session(Runtime(), ModelBytes(graph), CATS_LIBRARY);
  const auto tensor = [](const char* name, std::vector<int64_t> dims) {
    const int64_t count = std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
    if (std::string(name) == "mask")
      return MakeTensor(name, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, dims,
                        std::vector<uint8_t>(static_cast<size_t>(count), 1));
    return MakeTensor(name, kFloatTensor, dims, std::vector<float>(static_cast<size_t>(count), 0.5f));
  };
  const std::vector<HostTensor> good = {tensor("a", {2, 3}),     tensor("threshold", {3}),
                                        tensor("scale", {2, 1}), tensor("u", {2, 3}),
                                        tensor("w", {3}),        tensor("mask", {2})};
  EXPECT_EQ("", ErrorOf([&] { session.Run(good, {"y", "sums"}); }));
  const std::pair<size_t, std::vector<int64_t>> wrong[] = {{0, {}},     {1, {2}},    {1, {3, 1}}, {2, {3}},
                                                           {2, {2, 2}}, {3, {3, 2}}, {3, {6}},    {4, {2}},
                                                           {4, {}},     {5, {3}},    {5, {2, 1}}};
  const char* named[] = {"X",   "threshold", "threshold", "threshold_scale", "threshold_scale",
                         "U",   "U",         "weight",    "weight",          "mask",
                         "mask"};
  for (size_t i = 0; i < std::size(wrong); ++i) {
    auto inputs = good;
    inputs[wrong[i].first] = tensor(good[wrong[i].first].name.c_str(), wrong[i].second);
    const std::string error = ErrorOf([&] { session.Run(inputs, {"y", "sums"}); });
    // Both ops take a rank of 0 in 'a' for an error, and either may run first.
    EXPECT_NE(std::string::npos,
              error.find(i == 0 ? "' has shape []" : std::string("'") + named[i] + "' has shape"))
        << error;
    EXPECT_NE(std::string::npos, error.find("expected")) << i << ": " << error;
  }
}

TEST(OrtTypes, AWrongElementTypeIsRefused) {
  for (size_t input = 0; input < 9; ++input) {
    Graph graph = MlpGraph(kFloat);
    graph.inputs[input].type = kDouble;
    EXPECT_NE("", ErrorOf([&] { Session(Runtime(), ModelBytes(graph), CATS_LIBRARY); }))
        << graph.inputs[input].name;
  }
  Graph mixed = MlpGraph(kFloat);
  mixed.inputs[2].type = kFloat16;
  EXPECT_NE("", ErrorOf([&] { Session(Runtime(), ModelBytes(mixed), CATS_LIBRARY); }));
}

TEST(OrtInputs, OptionalOnesMayBeAbsentInEveryForm) {
  MlpCase<F32> mlp(2, 8, 6, 5, false);
  mlp.threshold = {0.1f};
  const auto all = MlpInputs(mlp, {2});
  for (const std::vector<std::string>& names : std::vector<std::vector<std::string>>{
           {"X", "gate", "up", "down", "threshold"},
           {"X", "gate", "up", "down", "threshold", "", "", "", ""},
           {"X", "gate", "up", "down", "threshold", "", "", "", "threshold_scale"}}) {
    Graph graph = MlpGraph(kFloat);
    graph.nodes[0].inputs = names;
    std::erase_if(graph.inputs, [&](const ValueInfo& info) {
      return std::find(names.begin(), names.end(), info.name) == names.end();
    });
    std::vector<HostTensor> inputs = all;
    std::erase_if(inputs, [&](const HostTensor& t) {
      return std::find(names.begin(), names.end(), t.name) == names.end();
    });
    const Session session(Runtime(), ModelBytes(graph), CATS_LIBRARY);
    const auto y = session.Run(inputs, {"Y"})[0].As<F32>();
    const auto a = reference::Activations<F32>(mlp.Args());
    EXPECT_LE(RelativeError(y, reference::Output<F32>(mlp.Args(), a, reference::Mask(mlp.Args(), a))), 1e-5);
  }
}

TEST(OrtInputs, ARequiredOneMayNotBe) {
  Graph graph = MlpGraph(kFloat);
  graph.nodes[0].inputs[2] = "";
  EXPECT_NE("", ErrorOf([&] {
              const Session session(Runtime(), ModelBytes(graph), CATS_LIBRARY);
              MlpCase<F32> mlp(1, 8, 6);
              session.Run(MlpInputs(mlp, {1}), {"Y"});
            }));
}

TEST(OrtOutputs, ActiveMayBeUnused) {
  MlpCase<F32> mlp(2, 8, 6, 6, true);
  const Session with(Runtime(), ModelBytes(MlpGraph(kFloat)), CATS_LIBRARY);
  const Session without(Runtime(), ModelBytes(MlpGraph(kFloat, false)), CATS_LIBRARY);
  Graph one_output = MlpGraph(kFloat, false);
  one_output.nodes[0].outputs = {"Y"};
  const Session single(Runtime(), ModelBytes(one_output), CATS_LIBRARY);
  const auto inputs = MlpInputs(mlp, {2});
  const auto expected = with.Run(inputs, {"Y"});
  EXPECT_TRUE(SameBits(expected, without.Run(inputs, {"Y"})));
  EXPECT_TRUE(SameBits(expected, single.Run(inputs, {"Y"})));
}

TEST(OrtOutputs, ShapesAreInferredWithTheirSymbols) {
  Graph graph = MlpGraph(kFloat16);
  graph.inputs[0] = {"X", kFloat16, {"batch", "3", "8"}};
  const Session session(Runtime(), ModelBytes(graph), CATS_LIBRARY);
  const OrtApi& api = Runtime().api();
  for (size_t output = 0; output < 2; ++output) {
    OrtTypeInfo* type = nullptr;
    const OrtTensorTypeAndShapeInfo* info = nullptr;
    Runtime().Check(api.SessionGetOutputTypeInfo(session.get(), output, &type));
    Runtime().Check(api.CastTypeInfoToTensorInfo(type, &info));
    ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    size_t rank = 0;
    Runtime().Check(api.GetTensorElementType(info, &element));
    Runtime().Check(api.GetDimensionsCount(info, &rank));
    ASSERT_EQ(output == 0 ? 3u : 2u, rank);
    std::vector<int64_t> dims(rank);
    std::vector<const char*> symbols(rank);
    Runtime().Check(api.GetDimensions(info, dims.data(), rank));
    Runtime().Check(api.GetSymbolicDimensions(info, symbols.data(), rank));
    EXPECT_EQ(output == 0 ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 : ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
              element);
    EXPECT_EQ(-1, dims[0]);
    EXPECT_STREQ("batch", symbols[0]);
    EXPECT_EQ(3, dims[1]);
    api.ReleaseTypeInfo(type);
  }
}

TEST(OrtAttributes, ImplementedValuesAreTakenReservedAndUnknownOnesRefusedByName) {
  const auto error = [](std::vector<Attribute> attributes) {
    return ErrorOf([&] { Session(Runtime(), ModelBytes(MlpGraph(kFloat, true, attributes)), CATS_LIBRARY); });
  };
  EXPECT_EQ("", error({{"activation", "silu"}, {"selector", "gate"}, {"screen", "none"}}));
  struct Case {
    Attribute attribute;
    std::vector<std::string> parts;
  };
  for (const auto& [attribute, parts] :
       {Case{{"activation", "gelu"}, {"activation", "gelu", "reserved", "silu"}},
        Case{{"activation", "gelu_tanh"}, {"gelu_tanh", "reserved"}},
        Case{{"activation", "relu"}, {"relu", "reserved"}},
        Case{{"activation", "tanh"}, {"activation", "tanh", "not known", "silu"}},
        Case{{"selector", "up"}, {"selector", "up", "reserved"}},
        Case{{"selector", "product"}, {"product", "reserved"}},
        Case{{"screen", "high_byte"}, {"screen", "high_byte", "reserved"}},
        Case{{"activation", int64_t{1}}, {"activation", "expected a string"}},
        Case{{"alpha", 1.5f}, {"alpha", "reserved"}}, Case{{"limit", 7.0f}, {"limit", "reserved"}}}) {
    const std::string text = error({attribute});
    EXPECT_NE(std::string::npos, text.find("SparseGatedMlp 'layer.0/mlp'")) << text;
    for (const std::string& part : parts) EXPECT_NE(std::string::npos, text.find(part)) << text;
  }
}

TEST(OrtModels, OfALaterDomainVersionAreRefused) {
  Graph graph = MlpGraph(kFloat);
  graph.nodes[0].op = "SparseGatedMlpOfTheFuture";
  EXPECT_NE("", ErrorOf([&] { Session(Runtime(), ModelBytes(graph), CATS_LIBRARY); }));
}

TEST(OrtModels, GiveTheSameAtEveryOptimizationLevel) {
  MlpCase<F32> mlp(3, 16, 24, 7, true);
  mlp.threshold = {0.1f};
  const auto inputs = MlpInputs(mlp, {3}, {1.0f, 0.5f, 2.0f});
  const std::string model = ModelBytes(MlpGraph(kFloat));
  const auto expected =
      Session(Runtime(), model, CATS_LIBRARY, 1, ORT_DISABLE_ALL).Run(inputs, {"Y", "active"});
  for (GraphOptimizationLevel level : {ORT_ENABLE_BASIC, ORT_ENABLE_EXTENDED, ORT_ENABLE_ALL}) {
    EXPECT_TRUE(
        SameBits(expected, Session(Runtime(), model, CATS_LIBRARY, 1, level).Run(inputs, {"Y", "active"})));
  }
}

}  // namespace
}  // namespace cats::test
