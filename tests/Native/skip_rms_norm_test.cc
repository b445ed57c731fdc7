// SPDX-License-Identifier: MIT
// SkipRMSNormSparseGatedMlp on the CPU: its norm against double sums, the op against the norm and then
// SparseGatedMlp, shapes of skip, errors.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "support/cats_models.h"
#include "support/tolerances.h"

namespace cats::test {
namespace {

template <class T>
void ExpectNormMatches(int64_t rows, int64_t hidden, int64_t skip_rows) {
  SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(hidden) + ", skip of " +
               std::to_string(skip_rows));
  const NormCase<T> norm(rows, hidden, skip_rows);
  std::vector<T> sum, expected_sum, y(norm.x.size());
  std::vector<double> expected;
  norm.Reference(&expected_sum, &expected);
  sum.resize(y.size());
  SkipRmsNormArgs args = norm.Args();
  args.y = y.data();
  args.sum = sum.data();
  SkipRmsNorm<T>(args);
  EXPECT_EQ(0, std::memcmp(sum.data(), expected_sum.data(), sum.size() * sizeof(T)));
  EXPECT_LE(RelativeError(y, expected), ToleranceOf(OnnxOf<T>::kDType));
  args.sum = nullptr;
  SkipRmsNorm<T>(args);
  EXPECT_LE(RelativeError(y, expected), ToleranceOf(OnnxOf<T>::kDType));
}

template <class T>
void ExpectEveryNormMatches() {
  ExpectNormMatches<T>(1, 1, 1);
  ExpectNormMatches<T>(6, 37, 3);
  ExpectNormMatches<T>(3, 4096, 3);
  ExpectNormMatches<T>(4, 64, 1);
}

TEST(SkipRmsNorm, EqualsDoubleSumsInEveryFormat) {
  ExpectEveryNormMatches<F32>();
  ExpectEveryNormMatches<F16>();
  ExpectEveryNormMatches<BF16>();
}

// skip_leading: the leading shape of skip.
template <class T>
void ExpectOpIsNormAndMlp(const std::vector<int64_t>& leading, const std::vector<int64_t>& skip_leading) {
  const auto product = [](const std::vector<int64_t>& dims) {
    int64_t count = 1;
    for (int64_t dim : dims) count *= dim;
    return count;
  };
  const NormCase<T> norm(product(leading), 48, product(skip_leading), 3);
  MlpCase<T> mlp(norm.rows, 48, 70, 21, true);
  std::vector<T> sum(mlp.x.size());
  SkipRmsNormArgs args = norm.Args();
  args.y = mlp.x.data();
  args.sum = sum.data();
  SkipRmsNorm<T>(args);
  mlp.ThresholdsInGaps(reference::Activations<T>(mlp.Args()));
  const Session plain(Runtime(), ModelBytes(MlpGraph(OnnxOf<T>::kModel)), CATS_LIBRARY);
  const Session normed(Runtime(), ModelBytes(NormedMlpGraph(OnnxOf<T>::kModel)), CATS_LIBRARY);
  auto expected = plain.Run(MlpInputs(mlp, leading, {0.5f}), {"Y", "active"});
  expected.push_back(expected[0]);
  std::memcpy(expected[2].bytes.data(), sum.data(), expected[2].bytes.size());
  EXPECT_TRUE(SameBits(expected, normed.Run(NormedMlpInputs(mlp, norm, leading, skip_leading, {0.5f}),
                                            {"Y", "active", "sum"})));
}

TEST(SkipRmsNorm, TheOpHasTheBitsOfTheNormAndThenTheMlp) {
  ExpectOpIsNormAndMlp<F32>({2, 3}, {2, 3});
  ExpectOpIsNormAndMlp<F16>({1, 1}, {1, 1});
  ExpectOpIsNormAndMlp<BF16>({4}, {4});
  ExpectOpIsNormAndMlp<F32>({2, 3}, {3});
  ExpectOpIsNormAndMlp<F16>({2, 3}, {1, 3});
  ExpectOpIsNormAndMlp<F32>({}, {});
}

TEST(SkipRmsNorm, NoRowsGiveNoRows) {
  const NormCase<F32> norm(0, 48, 0);
  const Session session(Runtime(), ModelBytes(NormedMlpGraph(kFloat)), CATS_LIBRARY);
  const auto outputs =
      session.Run(NormedMlpInputs(MlpCase<F32>(0, 48, 70), norm, {2, 0}, {2, 0}), {"Y", "active", "sum"});
  EXPECT_EQ((std::vector<int64_t>{2, 0, 48}), outputs[0].dims);
  EXPECT_EQ((std::vector<int64_t>{2, 0}), outputs[1].dims);
  EXPECT_EQ((std::vector<int64_t>{2, 0, 48}), outputs[2].dims);
}

TEST(SkipRmsNorm, AWrongShapeIsAStatusThatNamesNodeAndInput) {
  const NormCase<F32> norm(6, 48, 6);
  const MlpCase<F32> mlp(6, 48, 70);
  const Session session(Runtime(), ModelBytes(NormedMlpGraph(kFloat)), CATS_LIBRARY);
  const auto error_of = [&](size_t input, const std::vector<int64_t>& dims) {
    auto inputs = NormedMlpInputs(mlp, norm, {2, 3}, {2, 3});
    inputs[input].dims = dims;
    inputs[input].bytes.resize(
        static_cast<size_t>(std::accumulate(dims.begin(), dims.end(), int64_t{4}, std::multiplies<>())));
    return ErrorOf([&] { session.Run(inputs, {"Y", "active", "sum"}); });
  };
  const struct {
    size_t input;
    std::vector<int64_t> dims;
    std::vector<const char*> parts;
  } cases[] = {{9, {3, 2, 48}, {"'skip'", "[3, 2, 48]", "[2, 3, 48]"}},
               {9, {2, 1, 48}, {"'skip'", "[2, 1, 48]", "[2, 3, 48]"}},
               {9, {48}, {"'skip'", "[48]", "[2, 3, 48]"}},
               {10, {47}, {"'norm_weight'", "[47]", "[48]"}},
               {11, {1}, {"'norm_epsilon'", "[1]", "[]"}},
               {2, {48, 70}, {"'up'", "[48, 70]", "[70, 48]"}}};
  for (const auto& c : cases) {
    const std::string error = error_of(c.input, c.dims);
    EXPECT_NE(std::string::npos, error.find("SkipRMSNormSparseGatedMlp 'layer.0/mlp'")) << error;
    for (const char* part : c.parts) EXPECT_NE(std::string::npos, error.find(part)) << error;
  }
}

}  // namespace
}  // namespace cats::test
