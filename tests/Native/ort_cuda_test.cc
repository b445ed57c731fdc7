// SPDX-License-Identifier: MIT
// The ops on ONNX Runtime's CUDA provider: placed there, equal to the CPU's, captured in a CUDA graph and
// replayed with other data. CATS_CUDA only. CATS_ORT_GPU_LIBRARY names the runtime; without it or a GPU the
// tests are skipped, under CATS_REQUIRE_CUDA=1 they fail.
#include "support/ort_cuda.h"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <thread>

namespace cats::test {
namespace {

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

// With the norm in front of it, against double sums.
template <class T>
void ExpectNormedMlpMatches(int64_t rows, int64_t hidden, int64_t intermediate) {
  SCOPED_TRACE(std::string(NameOf(OnnxOf<T>::kDType)) + " " + std::to_string(rows) + " x " +
               std::to_string(hidden) + " x " + std::to_string(intermediate));
  const NormCase<T> norm(rows, hidden, rows, static_cast<uint32_t>(rows));
  std::vector<double> normed;
  std::vector<T> sum;
  norm.Reference(&sum, &normed);
  MlpCase<T> mlp(rows, hidden, intermediate, 20, true);
  for (size_t i = 0; i < normed.size(); ++i) mlp.x[i] = T::FromFloat(static_cast<float>(normed[i]));
  const auto a = reference::Activations<T>(mlp.Args());
  mlp.ThresholdsInGaps(a, 0.2f);
  const auto kept = reference::Mask(mlp.Args(), a);
  const std::string model = ModelBytes(NormedMlpGraph(OnnxOf<T>::kModel));
  const Session gpu(GpuRuntime(), CudaSession(model, false));
  const auto inputs = NormedMlpInputs(mlp, norm, {1, rows}, {1, rows});
  const auto got = gpu.Run(inputs, {"Y", "active", "sum"});
  EXPECT_EQ(0, std::memcmp(got[2].bytes.data(), sum.data(), got[2].bytes.size())) << "sum";
  EXPECT_LE(RelativeError(got[0].template As<T>(), reference::Output<T>(mlp.Args(), a, kept)),
            2 * ToleranceOf(OnnxOf<T>::kDType));  // that of the norm, and that of the MLP
  const auto active = got[1].template As<int32_t>();
  for (size_t row = 0; row < active.size(); ++row) {
    const auto begin = kept.begin() + static_cast<int64_t>(row) * intermediate;
    EXPECT_EQ(std::accumulate(begin, begin + intermediate, 0), active[row]) << "row " << row;
  }
  EXPECT_TRUE(SameBits(got, gpu.Run(inputs, {"Y", "active", "sum"}))) << "a second run differs";
}

template <class T>
void ExpectEveryNormedMlpMatches() {
  for (int64_t rows : {1, 2, 8, 11}) {
    ExpectNormedMlpMatches<T>(rows, 37, 29);
    ExpectNormedMlpMatches<T>(rows, 2048, 264);
  }
}

TEST_F(OrtCuda, SkipRmsNormSparseGatedMlpEqualsReferenceInFloat) { ExpectEveryNormedMlpMatches<F32>(); }
TEST_F(OrtCuda, SkipRmsNormSparseGatedMlpEqualsReferenceInFloat16) { ExpectEveryNormedMlpMatches<F16>(); }
TEST_F(OrtCuda, SkipRmsNormSparseGatedMlpEqualsReferenceInBfloat16) { ExpectEveryNormedMlpMatches<BF16>(); }

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
