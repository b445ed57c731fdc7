// SPDX-License-Identifier: MIT
// Many rows of SparseGatedMlp on ONNX Runtime's CUDA provider: products by its own Gemm, called from inside
// the op. CATS_CUDA only; skipped or failed without a GPU as ort_cuda_test.cc.
#include <numeric>
#include <thread>

#include "kernels/cuda/launch_plan.h"
#include "support/ort_cuda.h"

namespace cats::test {
namespace {

template <class T>
void ExpectManyRowsMatch() {
  const int64_t from = cuda::DenseRowsFrom(OnnxOf<T>::kDType, 48, 70);
  for (int64_t rows : {from - 1, from, from + 1, int64_t{33}, int64_t{64}, int64_t{257}}) {
    ExpectMlpMatches<T>(rows, 48, 70);
    ExpectMlpMatches<T>(rows, 37, 29);
    ExpectMlpMatches<T>(rows, 1, 1);
  }
  ExpectMlpMatches<T>(64, 1024, 1100);
}

TEST_F(OrtCuda, ManyRowsEqualReferenceAndCpuInFloat) { ExpectManyRowsMatch<F32>(); }
TEST_F(OrtCuda, ManyRowsEqualReferenceAndCpuInFloat16) { ExpectManyRowsMatch<F16>(); }
TEST_F(OrtCuda, ManyRowsEqualReferenceAndCpuInBfloat16) { ExpectManyRowsMatch<BF16>(); }

// Each row has its own scale, one threshold for all neurons, and no biases are given.
template <class T>
void ExpectScalePerRow() {
  MlpCase<T> mlp(70, 64, 96, 31);
  for (int64_t row = 0; row < mlp.rows; ++row) mlp.scale.push_back(static_cast<float>(row % 5) * 0.5f);
  const auto a = reference::Activations<T>(mlp.Args());
  // A threshold that is 3% away from every activation at every scale.
  for (float t = 0.08f;; t *= 1.0003f) {
    ASSERT_LT(t, 0.4f) << "no such threshold";
    bool free = true;
    for (float value : a) {
      for (float scale : {0.5f, 1.0f, 1.5f, 2.0f}) {
        free = free && std::fabs(std::fabs(value) - scale * t) > 0.00002f + 2e-4f * scale * t;
      }
    }
    if (free || OnnxOf<T>::kDType != DType::kF32) {
      mlp.threshold = {t};
      break;
    }
  }
  Graph graph = MlpGraph(OnnxOf<T>::kModel);
  graph.nodes[0].inputs = {"X", "gate", "up", "down", "threshold", "", "", "", "threshold_scale"};
  std::erase_if(graph.inputs, [](const ValueInfo& info) { return info.name.ends_with("_bias"); });
  auto inputs = MlpInputs(mlp, {7, 10}, mlp.scale);
  std::erase_if(inputs, [](const HostTensor& tensor) { return tensor.name.ends_with("_bias"); });
  const Session gpu(GpuRuntime(), CudaSession(ModelBytes(graph), false));
  const auto got = gpu.Run(inputs, {"Y", "active"});
  const auto kept = reference::Mask(mlp.Args(), a);
  const auto active = got[1].template As<int32_t>();
  int flips = 0;
  for (size_t row = 0; row < 70; ++row) {
    const auto begin = kept.begin() + static_cast<int64_t>(row) * mlp.intermediate;
    flips += std::abs(std::accumulate(begin, begin + mlp.intermediate, 0) - active[row]);
    if (row % 5 == 0) {
      EXPECT_EQ(mlp.intermediate, active[row]);
    }
  }
  // Decisions at the threshold may differ between paths; a flip changes Y by about the threshold.
  EXPECT_LE(flips, OnnxOf<T>::kDType == DType::kF32 ? 0 : 8);
  if (flips == 0) {
    EXPECT_LE(RelativeError(got[0].template As<T>(), reference::Output<T>(mlp.Args(), a, kept)),
              ToleranceOf(OnnxOf<T>::kDType));
  }
}

TEST_F(OrtCuda, ManyRowsHaveEachItsOwnThresholdScale) {
  ExpectScalePerRow<F32>();
  ExpectScalePerRow<F16>();
  ExpectScalePerRow<BF16>();
}

template <class T>
void ExpectNaNStaysInItsRow() {
  MlpCase<T> mlp = CaseOf<T>(40, 64, 96);
  const Session gpu(GpuRuntime(), CudaSession(ModelBytes(MlpGraph(OnnxOf<T>::kModel)), false));
  mlp.x[17 * 64 + 5] = T::FromFloat(NAN);
  const auto y = gpu.Run(MlpInputs(mlp, {40}), {"Y", "active"})[0].template As<T>();
  for (size_t at = 0; at < y.size(); ++at) {
    EXPECT_EQ(at / 64 == 17, std::isnan(T::ToFloat(y[at]))) << "row " << at / 64;
  }
}

TEST_F(OrtCuda, ANaNInOneOfManyRowsShowsInThatRowOnly) {
  ExpectNaNStaysInItsRow<F32>();
  ExpectNaNStaysInItsRow<F16>();
  ExpectNaNStaysInItsRow<BF16>();
}

TEST_F(OrtCuda, AReplayedGraphOfManyRowsFollowsItsDataAndItsThresholdScale) {
  ExpectReplaysFollowTheirData<F16>(40, 256, 264);
  ExpectReplaysFollowTheirData<BF16>(512, 256, 264);
  ExpectReplaysFollowTheirData<F32>(33, 100, 70);
}

// More rows than one chunk holds: the rows of every chunk are those of a call of their own.
TEST_F(OrtCuda, RowsBeyondAChunkAreComputedLikeTheFirst) {
  constexpr int64_t kIntermediate = 1 << 18;  // 256 MiB of scratch hold 256 rows
  MlpCase<F16> mlp(1, 8, kIntermediate, 5);
  const int64_t chunk = cuda::DenseRowsChunk(DType::kF16, 700, kIntermediate);
  ASSERT_EQ(256, chunk);
  std::mt19937 random(4);
  mlp.rows = 700;
  mlp.x = MlpCase<F16>::Normal(random, 700 * 8, 1.0f);
  for (int64_t copy : {chunk, 2 * chunk}) {
    for (int64_t at = 0; at < 100 * 8; ++at) {
      mlp.x[static_cast<size_t>(copy * 8 + at)] = mlp.x[static_cast<size_t>(at)];
    }
  }
  mlp.threshold = {0.3f};
  const Session gpu(GpuRuntime(), CudaSession(ModelBytes(MlpGraph(kFloat16)), false));
  const auto got = gpu.Run(MlpInputs(mlp, {700}), {"Y", "active"});
  const auto y = got[0].As<F16>();
  const auto active = got[1].As<int32_t>();
  for (size_t row = 0; row < 100; ++row) {
    EXPECT_EQ(active[row], active[row + 256]);
    EXPECT_EQ(0, std::memcmp(&y[row * 8], &y[(row + 256) * 8], 16)) << row;
    EXPECT_NEAR(active[row], active[row + 512], 8) << "a shorter chunk may take another kernel";
  }
}

TEST_F(OrtCuda, ManyRowsHaveTheSameBitsInAThousandRunsAndOnEightThreads) {
  const MlpCase<F16> mlp = CaseOf<F16>(48, 512, 520);
  const Session gpu(GpuRuntime(), CudaSession(ModelBytes(MlpGraph(kFloat16)), false));
  const auto inputs = MlpInputs(mlp, {48});
  const auto expected = gpu.Run(inputs, {"Y", "active"});
  int different[8] = {};
  std::vector<std::thread> threads;
  for (int n = 0; n < 8; ++n) {
    threads.emplace_back([&, n] {
      for (int run = 0; run < 125; ++run) {
        different[n] += SameBits(expected, gpu.Run(inputs, {"Y", "active"})) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0, std::accumulate(different, different + 8, 0));
}

}  // namespace
}  // namespace cats::test
