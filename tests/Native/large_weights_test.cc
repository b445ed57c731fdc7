// SPDX-License-Identifier: MIT
// Weights of more than 2^31 elements: every offset has 64 bits. The pages are zero and take no memory, but
// for those of the last neurons.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <vector>

#include "kernels/cpu/isa.h"
#include "support/mlp_case.h"

namespace cats::test {
namespace {

constexpr int64_t kHidden = 32768;
constexpr int64_t kIntermediate = 65600;  // 2^31 + 2^21 elements
constexpr int64_t kLast = kIntermediate - 1;

class ZeroPages {
 public:
  ZeroPages()
      : data_(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                   0)) {}
  ~ZeroPages() {
    if (good()) munmap(data_, kBytes);
  }
  bool good() const { return data_ != MAP_FAILED; }
  F16* row(int64_t neuron) { return static_cast<F16*>(data_) + neuron * kHidden; }

 private:
  static constexpr size_t kBytes = static_cast<size_t>(kHidden * kIntermediate) * sizeof(F16);
  void* data_;
};

class LargeWeights : public testing::TestWithParam<int64_t> {};

TEST_P(LargeWeights, TheLastNeuronIsReadWhereItLies) {
  const int64_t rows = GetParam();
  ZeroPages gate, up, down;
  if (!gate.good() || !up.good() || !down.good()) GTEST_SKIP() << "no 13 GB of address space";
  // g = 2, u = 3 for the last neuron; its down row is 1 in the first column and 2 in the last.
  gate.row(kLast)[0] = F16::FromFloat(2.0f);
  up.row(kLast)[kHidden - 1] = F16::FromFloat(3.0f);
  down.row(kLast)[0] = F16::FromFloat(1.0f);
  down.row(kLast)[kHidden - 1] = F16::FromFloat(2.0f);
  const std::vector<F16> x(static_cast<size_t>(rows * kHidden), F16::FromFloat(1.0f));
  const float threshold = 0.5f;
  GatedMlpArgs args{};
  args.rows = rows;
  args.hidden = kHidden;
  args.intermediate = kIntermediate;
  args.x = x.data();
  args.gate = gate.row(0);
  args.up = up.row(0);
  args.down = down.row(0);
  args.threshold = &threshold;
  const GatedMlpKernels& kernels = *GatedMlpKernelsOf(ChosenIsa().isa, DType::kF16);
  for (const GatedMlpKernel* kernel : {&kernels.few_rows, &kernels.many_rows}) {
    const MlpResult<F16> result = RunKernel<F16>(*kernel, args, 2);
    ASSERT_TRUE(result.ok);
    const float h = F16::ToFloat(F16::FromFloat(2.0f / (1.0f + std::exp(-2.0f)))) * 3.0f;
    for (int64_t row = 0; row < rows; ++row) {
      const F16* y = result.y.data() + row * kHidden;
      EXPECT_EQ(1, result.active[static_cast<size_t>(row)]);
      EXPECT_EQ(F16::ToFloat(F16::FromFloat(h)), F16::ToFloat(y[0]));
      EXPECT_EQ(0.0f, F16::ToFloat(y[1]));
      EXPECT_EQ(F16::ToFloat(F16::FromFloat(2 * h)), F16::ToFloat(y[kHidden - 1]));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, LargeWeights, testing::Values(1, 3));

}  // namespace
}  // namespace cats::test
