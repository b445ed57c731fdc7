// SPDX-License-Identifier: MIT
// cats_onnx.h as a program uses it: by dlopen of the built library.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "cats_onnx.h"
#include "support/mlp_case.h"
#include "support/tolerances.h"

namespace cats::test {
namespace {

template <class Function>
Function* Symbol(const char* name) {
  static void* library = dlopen(CATS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  void* symbol = library == nullptr ? nullptr : dlsym(library, name);
  EXPECT_NE(nullptr, symbol) << name;
  return reinterpret_cast<Function*>(symbol);
}

int32_t RunAllTasksBackwards(void* calls, int64_t tasks, CatsTask body, void* arg) {
  ++*static_cast<int*>(calls);
  for (int64_t task = tasks - 1; task >= 0; --task) body(arg, task);
  return 1;
}

TEST(CApi, DescribesItself) {
  const std::string json = Symbol<decltype(CatsDescribeOps)>("CatsDescribeOps")();
  const std::string version = Symbol<decltype(CatsVersion)>("CatsVersion")();
  for (const std::string& part :
       {"\"version\": \"" + version + "\"", std::string("\"domain\": \"ai.cats\""),
        std::string("\"built_api\": 31"), std::string("\"floor_api\": 28"), std::string("\"isa\": "),
        std::string("SparseGatedMlp"), std::string("CatsThreshold"), std::string("GateObserver"),
        std::string("\"bfloat16\""), std::string("high_byte")}) {
    EXPECT_NE(std::string::npos, json.find(part)) << part << "\n" << json;
  }
}

template <class T>
struct Call {
  MlpCase<T> mlp{3, 40, 30, 2, true};
  std::vector<T> y = std::vector<T>(120);
  std::vector<int32_t> active = std::vector<int32_t>(3, -1);
  char error[200] = {};
  int32_t dtype, isa = CATS_ISA_CHOSEN, path = CATS_PATH_AUTO;
  int calls = 0;

  int32_t Run() {
    return Symbol<decltype(CatsRunSparseGatedMlp)>("CatsRunSparseGatedMlp")(
        dtype, isa, path, mlp.rows, mlp.hidden, mlp.intermediate, mlp.x.data(), mlp.gate.data(),
        mlp.up.data(), mlp.down.data(), mlp.threshold.data(), static_cast<int64_t>(mlp.threshold.size()),
        mlp.gate_bias.data(), mlp.up_bias.data(), mlp.down_bias.data(),
        mlp.scale.empty() ? nullptr : mlp.scale.data(), static_cast<int64_t>(mlp.scale.size()), y.data(),
        active.data(), RunAllTasksBackwards, &calls, error, sizeof error);
  }
};

template <class T>
void ExpectKernelMatchesReference(int32_t dtype) {
  Call<T> call;
  call.dtype = dtype;
  call.mlp.ThresholdsInGaps(reference::Activations<T>(call.mlp.Args()));
  std::vector<double> expected(120);
  std::vector<uint8_t> kept(90);
  const MlpCase<T>& mlp = call.mlp;
  ASSERT_EQ(0, Symbol<decltype(CatsRunSparseGatedMlpReference)>("CatsRunSparseGatedMlpReference")(
                   dtype, 3, 40, 30, mlp.x.data(), mlp.gate.data(), mlp.up.data(), mlp.down.data(),
                   mlp.threshold.data(), 30, mlp.gate_bias.data(), mlp.up_bias.data(), mlp.down_bias.data(),
                   nullptr, 0, expected.data(), kept.data(), call.error, sizeof call.error))
      << call.error;
  for (int32_t path : {CATS_PATH_AUTO, CATS_PATH_FEW_ROWS, CATS_PATH_MANY_ROWS}) {
    call.path = path;
    ASSERT_EQ(0, call.Run()) << call.error;
    EXPECT_LE(RelativeError(call.y, expected), ToleranceOf(static_cast<DType>(dtype)));
    for (size_t row = 0; row < 3; ++row) {
      int32_t count = 0;
      for (size_t i = 0; i < 30; ++i) count += kept[row * 30 + i];
      EXPECT_EQ(count, call.active[row]);
    }
  }
  EXPECT_GT(call.calls, 0);
}

TEST(CApi, RunsTheMlpOfEveryFormatAndPathAsTheReferenceDoes) {
  ExpectKernelMatchesReference<F32>(CATS_F32);
  ExpectKernelMatchesReference<F16>(CATS_F16);
  ExpectKernelMatchesReference<BF16>(CATS_BF16);
}

TEST(CApi, NamesWhatIsWrong) {
  const auto expect = [](auto change, const std::string& text) {
    Call<F32> call;
    call.dtype = CATS_F32;
    change(call);
    EXPECT_EQ(1, call.Run());
    EXPECT_NE(std::string::npos, std::string(call.error).find(text)) << call.error;
  };
  expect([](auto& call) { call.dtype = 7; }, "dtype is 7");
  expect([](auto& call) { call.isa = 9; }, "isa is 9");
  expect([](auto& call) { call.path = 5; }, "path is 5");
  expect([](auto& call) { call.mlp.rows = -1; }, "rows is -1");
  expect([](auto& call) { call.mlp.threshold.resize(7); }, "threshold has 7 values; expected 1 or 30");
  expect([](auto& call) { call.mlp.scale.resize(2); }, "scale has 2 values; expected 1 or 3");
  expect([](auto& call) { call.mlp.rows = INT64_MAX / 2; }, "too large");
}

TEST(CApi, ThresholdAndObserverRun) {
  const std::vector<float> a = {0.5f, -0.1f, 2.0f, -3.0f}, u = {1.0f, -2.0f, 3.0f, -4.0f};
  std::vector<float> y(4);
  char error[100] = {};
  const float threshold = 1.0f;
  ASSERT_EQ(0, Symbol<decltype(CatsRunThreshold)>("CatsRunThreshold")(CATS_F32, 2, 2, a.data(), &threshold, 1,
                                                                      nullptr, 0, y.data(), nullptr, nullptr,
                                                                      error, sizeof error))
      << error;
  EXPECT_EQ((std::vector<float>{0.0f, 0.0f, 2.0f, -3.0f}), y);
  std::vector<int64_t> counts(32768);
  std::vector<double> sums(2);
  int64_t tokens = 0;
  ASSERT_EQ(0, Symbol<decltype(CatsRunGateObserver)>("CatsRunGateObserver")(
                   CATS_F32, 2, 2, a.data(), u.data(), nullptr, nullptr, counts.data(), sums.data(), &tokens,
                   nullptr, nullptr, error, sizeof error))
      << error;
  EXPECT_EQ((std::vector<double>{4.0, 6.0}), sums);
  EXPECT_EQ(2, tokens);
  EXPECT_EQ(1, counts[0x3f00]);
}

TEST(CApi, CutsTheErrorToItsBufferAndTakesNone) {
  Call<F32> call;
  call.dtype = 99;
  char small[8];
  std::memset(small, 'x', sizeof small);
  const auto run = Symbol<decltype(CatsRunThreshold)>("CatsRunThreshold");
  EXPECT_EQ(1, run(99, 1, 1, nullptr, nullptr, 1, nullptr, 0, nullptr, nullptr, nullptr, small, 4));
  EXPECT_EQ('\0', small[3]);
  EXPECT_EQ('x', small[4]);
  EXPECT_EQ(1, run(99, 1, 1, nullptr, nullptr, 1, nullptr, 0, nullptr, nullptr, nullptr, nullptr, 0));
}

TEST(CApi, SaysThatItHasNoCudaOrRefusesBadArguments) {
  const auto describe = std::string(Symbol<decltype(CatsDescribeOps)>("CatsDescribeOps")());
  const bool has_cuda = describe.find("\"cuda_architectures\": null") == std::string::npos;
  const auto choose = Symbol<decltype(CatsCudaChooseGreedyToken)>("CatsCudaChooseGreedyToken");
  char error[256] = "";
  float logit = 0;
  int32_t token = 0;
  EXPECT_EQ(1, choose(CATS_F32, 0, 1, &logit, 0, 1, &token, nullptr, 0, nullptr, 0, nullptr, 0, 0, 0, nullptr,
                      error, sizeof error));
  EXPECT_NE(nullptr,
            std::strstr(error, has_cuda ? "vocabulary is 0; expected 1 to 2147483647" : "built without CUDA"))
      << error;
  double rate = 0;
  EXPECT_EQ(1, Symbol<decltype(CatsCudaMeasureReadCeiling)>("CatsCudaMeasureReadCeiling")(0, 8, &rate, error,
                                                                                          sizeof error));
  EXPECT_NE(nullptr, std::strstr(error, has_cuda ? "bytes is 8; expected 16" : "built without CUDA"))
      << error;
  EXPECT_EQ(1,
            Symbol<decltype(CatsCudaLoadGreedyToken)>("CatsCudaLoadGreedyToken")(9, 0, error, sizeof error));
}

TEST(CApi, CountsKernelsOfKnownDevicesOnly) {
  const auto made = Symbol<decltype(CatsKernelsMade)>("CatsKernelsMade");
  EXPECT_EQ(0, made(CATS_DEVICE_CPU));  // no ONNX Runtime here
  EXPECT_EQ(0, made(CATS_DEVICE_CUDA));
  EXPECT_EQ(0, made(7));
}

}  // namespace
}  // namespace cats::test
