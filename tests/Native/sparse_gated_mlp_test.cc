// SPDX-License-Identifier: MIT
// Every kernel of SparseGatedMlp (format x instruction set x few or many rows) against the definition.
#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <string>

#include "kernels/cpu/isa.h"
#include "support/mlp_case.h"
#include "support/tolerances.h"

namespace cats::test {
namespace {

struct Kernel {
  Isa isa;
  DType dtype;
  bool many_rows;

  const GatedMlpKernel& get() const {
    const GatedMlpKernels* kernels = GatedMlpKernelsOf(isa, dtype);
    return many_rows ? kernels->many_rows : kernels->few_rows;
  }
};

std::vector<Kernel> AllKernels() {
  std::vector<Kernel> kernels;
  for (Isa isa : kIsas) {
    if (!IsSupported(isa)) continue;
    for (DType dtype : kDTypes) {
      kernels.push_back({isa, dtype, false});
      kernels.push_back({isa, dtype, true});
    }
  }
  return kernels;
}

class SparseGatedMlp : public testing::TestWithParam<Kernel> {
 protected:
  // Calls body(T{}) with the parameter's stored format.
  template <class Body>
  void WithFormat(Body body) {
    cats::WithFormat(GetParam().dtype, body);
  }

  const GatedMlpKernel& kernel() const { return GetParam().get(); }

  // Same mask as the definition, and the output within the tolerance table.
  template <class T>
  void ExpectMatches(const MlpCase<T>& mlp, const std::vector<float>& a, const std::string& what,
                     int threads = 1) {
    const GatedMlpArgs args = mlp.Args();
    const std::vector<uint8_t> kept = reference::Mask(args, a);
    const MlpResult<T> result = RunKernel<T>(kernel(), args, threads);
    ASSERT_TRUE(result.ok) << what;
    for (int64_t row = 0; row < mlp.rows; ++row) {
      const auto first = kept.begin() + row * mlp.intermediate;
      EXPECT_EQ(std::accumulate(first, first + mlp.intermediate, 0), result.active[static_cast<size_t>(row)])
          << what << ", row " << row;
    }
    EXPECT_LE(RelativeError(result.y, reference::Output<T>(args, a, kept)), ToleranceOf(GetParam().dtype))
        << what;
  }
};

std::string Sizes(int64_t rows, int64_t hidden, int64_t intermediate) {
  return "rows " + std::to_string(rows) + ", hidden " + std::to_string(hidden) + ", intermediate " +
         std::to_string(intermediate);
}

TEST_P(SparseGatedMlp, MatchesReferenceForEverySizeOfTail) {
  WithFormat([&]<class T>(T) {
    for (int64_t hidden : {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 96, 127, 130, 257}) {
      for (int64_t intermediate : {1, 2, 5, 8, 13, 16, 29, 64, 67}) {
        for (int64_t rows : {1, 3}) {
          MlpCase<T> mlp(rows, hidden, intermediate, static_cast<uint32_t>(hidden * 100 + intermediate),
                         hidden % 2 == 0);
          if (intermediate <= 8) mlp.WithoutCancellation();
          const auto a = reference::Activations<T>(mlp.Args());
          mlp.ThresholdsInGaps(a);
          ExpectMatches(mlp, a, Sizes(rows, hidden, intermediate));
        }
      }
    }
  });
}

TEST_P(SparseGatedMlp, MatchesReferenceForRows1To20) {
  WithFormat([&]<class T>(T) {
    for (int64_t rows = 1; rows <= 20; ++rows) {
      MlpCase<T> mlp(rows, 72, 203, static_cast<uint32_t>(rows), rows % 2 == 1);
      const auto a = reference::Activations<T>(mlp.Args());
      mlp.ThresholdsInGaps(a);
      ExpectMatches(mlp, a, Sizes(rows, 72, 203), 3);
    }
  });
}

TEST_P(SparseGatedMlp, MatchesReferenceForManyRowsAndWideLayers) {
  WithFormat([&]<class T>(T) {
    for (const auto& [rows, hidden, intermediate] : {std::tuple<int64_t, int64_t, int64_t>{70, 48, 96},
                                                     {131, 65, 40},
                                                     {530, 16, 24},
                                                     {2, 1030, 700},
                                                     {1, 4096, 300}}) {
      MlpCase<T> mlp(rows, hidden, intermediate, 9, true);
      const auto a = reference::Activations<T>(mlp.Args());
      mlp.ThresholdsInGaps(a);
      ExpectMatches(mlp, a, Sizes(rows, hidden, intermediate), 2);
    }
  });
}

TEST_P(SparseGatedMlp, MatchesReferenceWhenAllNeuronsOrNoneOrOneAreActive) {
  WithFormat([&]<class T>(T) {
    for (int64_t rows : {1, 4, 33}) {
      MlpCase<T> mlp(rows, 80, 120, 5, true);
      const auto a = reference::Activations<T>(mlp.Args());
      mlp.threshold = {0.0f};
      ExpectMatches(mlp, a, "all");
      mlp.threshold = {std::numeric_limits<float>::infinity()};
      ExpectMatches(mlp, a, "none");
      mlp.threshold.assign(120, 1e30f);
      for (int64_t one : {0, 1, 63, 64, 119}) {
        mlp.threshold[static_cast<size_t>(one)] = 0.0f;
        ExpectMatches(mlp, a, "only neuron " + std::to_string(one));
        mlp.threshold[static_cast<size_t>(one)] = 1e30f;
      }
    }
  });
}

// docs/weight-layouts.md, "Worked example".
TEST_P(SparseGatedMlp, ComputesTheWorkedExampleOfTheDocs) {
  WithFormat([&]<class T>(T) {
    const auto values = [](std::vector<float> floats) {
      std::vector<T> stored;
      for (float value : floats) stored.push_back(T::FromFloat(value));
      return stored;
    };
    MlpCase<T> mlp(1, 2, 3);
    mlp.x = values({1, 1});
    mlp.gate = mlp.up = values({1, 4, 2, 5, 3, 6});
    mlp.down = values({1, 0, 0, 1, 1, 1});
    mlp.threshold = {6.0f};
    const MlpResult<T> result = RunKernel<T>(kernel(), mlp.Args());
    EXPECT_EQ(2, result.active[0]);
    EXPECT_LE(RelativeError(result.y, {80.9900, 129.9454}), std::max(1e-6, ToleranceOf(GetParam().dtype)));
  });
}

TEST_P(SparseGatedMlp, GivesTheBiasOrPlusZeroWhenNoNeuronIsActive) {
  WithFormat([&]<class T>(T) {
    for (bool biases : {false, true}) {
      MlpCase<T> mlp(3, 37, 20, 6, biases);
      mlp.threshold = {1e30f};
      const MlpResult<T> result = RunKernel<T>(kernel(), mlp.Args());
      for (size_t i = 0; i < result.y.size(); ++i) {
        const float expected = biases ? T::ToFloat(mlp.down_bias[i % 37]) : 0.0f;
        EXPECT_EQ(BitsOf(expected), BitsOf(T::ToFloat(result.y[i])));
      }
    }
  });
}

TEST_P(SparseGatedMlp, ScaleOfEachRowMultipliesTheThreshold) {
  WithFormat([&]<class T>(T) {
    MlpCase<T> mlp(4, 64, 90, 7);
    const auto a = reference::Activations<T>(mlp.Args());
    mlp.threshold = {1e-6f};
    mlp.scale = {1.0f, 0.0f, 1e20f, -3.0f};
    ExpectMatches(mlp, a, "one scale per row");
    const MlpResult<T> result = RunKernel<T>(kernel(), mlp.Args());
    EXPECT_EQ(90, result.active[1]);
    EXPECT_EQ(0, result.active[2]);
    EXPECT_EQ(90, result.active[3]);
    mlp.scale = {1e20f};
    EXPECT_EQ(std::vector<int32_t>(4, 0), RunKernel<T>(kernel(), mlp.Args()).active);
  });
}

// g is 0 in this layer but for its bias, so that every path has the same activation to the bit: decisions
// must then be those of the definition, for every threshold and scale there is.
TEST_P(SparseGatedMlp, DecidesAsDefinedForSpecialThresholdsScalesAndActivations) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const float specials[] = {-1.0f, -0.0f, 0.0f, 1e-45f, 1e-40f, 1.17549435e-38f, 6e-8f,
                            0.01f, 0.5f,  1.0f, 3e38f,  kInf,   -kInf,           kNan};
  WithFormat([&]<class T>(T) {
    const float biases[] = {0.0f, -0.0f, 1e-7f, 6e-5f, 0.02f, 0.7f, 1.0f, -1.0f, -8.0f, 60000.0f, kInf, kNan};
    MlpCase<T> mlp(1, 8, std::size(biases), 8, true);
    for (T& value : mlp.x) value = T{};
    for (size_t i = 0; i < std::size(biases); ++i) mlp.gate_bias[i] = T::FromFloat(biases[i]);
    for (float threshold : specials) {
      for (float scale : specials) {
        mlp.threshold.assign(std::size(biases), threshold);
        mlp.scale = {scale};
        const GatedMlpArgs args = mlp.Args();
        const auto kept = reference::Mask(args, reference::Activations<T>(args));
        EXPECT_EQ(std::accumulate(kept.begin(), kept.end(), 0), RunKernel<T>(kernel(), args).active[0])
            << "threshold " << threshold << ", scale " << scale;
      }
    }
  });
}

TEST_P(SparseGatedMlp, NanInOneRowsActivationShowsInThatRowOnly) {
  WithFormat([&]<class T>(T) {
    MlpCase<T> mlp(5, 40, 50, 11);
    mlp.threshold = {0.05f};
    const MlpResult<T> clean = RunKernel<T>(kernel(), mlp.Args());
    for (float poison : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      mlp.x[2 * 40 + 17] = T::FromFloat(poison);
      const MlpResult<T> result = RunKernel<T>(kernel(), mlp.Args());
      for (int64_t row = 0; row < 5; ++row) {
        bool finite = true;
        for (int64_t j = 0; j < 40; ++j)
          finite &= std::isfinite(T::ToFloat(result.y[static_cast<size_t>(row * 40 + j)]));
        EXPECT_EQ(row != 2, finite) << "row " << row;
        if (row != 2) {
          EXPECT_EQ(0, std::memcmp(&clean.y[static_cast<size_t>(row * 40)],
                                   &result.y[static_cast<size_t>(row * 40)], 40 * sizeof(T)));
        }
      }
    }
  });
}

TEST_P(SparseGatedMlp, RowKernelsReadNothingOfASkippedNeuron) {
  if (GetParam().many_rows) return;  // the promise is for row paths (gated_mlp.h)
  WithFormat([&]<class T>(T) {
    for (int64_t rows : {1, 2, 7}) {
      MlpCase<T> mlp(rows, 48, 60, 12);
      mlp.threshold.assign(60, 0.0f);
      for (size_t i = 0; i < 60; i += 4) {
        mlp.threshold[i] = 1e30f;
        for (size_t j = 0; j < 48; ++j) mlp.up[i * 48 + j] = mlp.down[i * 48 + j] = T::FromFloat(NAN);
      }
      for (T value : RunKernel<T>(kernel(), mlp.Args()).y) EXPECT_TRUE(std::isfinite(T::ToFloat(value)));
    }
  });
}

TEST_P(SparseGatedMlp, GivesTheSameBitsForAnyNumberOfThreads) {
  WithFormat([&]<class T>(T) {
    for (int64_t rows : {1, 2, 5, 40}) {
      MlpCase<T> mlp(rows, 301, 1003, 13, true);
      mlp.threshold = {0.1f};
      const MlpResult<T> serial = RunKernel<T>(kernel(), mlp.Args(), 1);
      for (int threads = 2; threads <= 8; ++threads) {
        EXPECT_TRUE(serial.SameBits(RunKernel<T>(kernel(), mlp.Args(), threads)))
            << rows << " rows, " << threads << " threads";
      }
    }
  });
}

// Prefill skips pairs of a neuron and a row where many fall away and runs full tiles where few do: both must
// add the same numbers in the same order.
TEST_P(SparseGatedMlp, ManyRowsGiveARowTheBitsThatItHasAlone) {
  if (!GetParam().many_rows) return;  // few rows: the order follows the neurons that any of them keeps
  WithFormat([&]<class T>(T) {
    MlpCase<T> mlp(37, 1100, 211, 21, true);
    mlp.threshold = {0.05f};
    // Rows that keep everything, about half, a few, and nothing, side by side and in groups.
    for (int64_t row = 0; row < mlp.rows; ++row) {
      const float scales[] = {0.0f, 1.0f, 4.0f, 10.0f, 1e20f};
      mlp.scale.push_back(scales[row < 16 ? row / 8 : row < 24 ? 4 : row % 5]);
    }
    const GatedMlpArgs args = mlp.Args();
    const MlpResult<T> together = RunKernel<T>(kernel(), args, 3);
    for (int64_t row = 0; row < mlp.rows; ++row) {
      GatedMlpArgs one = args;
      one.rows = 1;
      one.x = mlp.x.data() + row * mlp.hidden;
      one.threshold_scale = mlp.scale.data() + row;
      one.scale_per_row = false;
      const MlpResult<T> alone = RunKernel<T>(kernel(), one);
      EXPECT_EQ(alone.active[0], together.active[static_cast<size_t>(row)]) << "row " << row;
      EXPECT_EQ(0, std::memcmp(alone.y.data(), &together.y[static_cast<size_t>(row * mlp.hidden)],
                               alone.y.size() * sizeof(T)))
          << "row " << row;
    }
  });
}

TEST_P(SparseGatedMlp, GivesTheSameBits1000Times) {
  WithFormat([&]<class T>(T) {
    MlpCase<T> mlp(2, 65, 130, 14, true);
    mlp.threshold = {0.1f};
    const MlpResult<T> first = RunKernel<T>(kernel(), mlp.Args());
    int different = 0;
    for (int run = 0; run < 1000; ++run)
      different += first.SameBits(RunKernel<T>(kernel(), mlp.Args(), 1 + run % 3 / 2)) ? 0 : 1;
    EXPECT_EQ(0, different);
  });
}

TEST_P(SparseGatedMlp, GivesTheSameBitsWhereverTheArraysLie) {
  WithFormat([&]<class T>(T) {
    MlpCase<T> mlp(3, 67, 90, 15, true);
    mlp.threshold = {0.05f};
    const MlpResult<T> expected = RunKernel<T>(kernel(), mlp.Args());
    for (size_t offset = 1; offset <= 33; offset += 4) {
      std::vector<std::vector<T>> shifted;
      GatedMlpArgs args = mlp.Args();
      for (const void** array : {&args.x, &args.gate, &args.up, &args.down}) {
        const size_t size = static_cast<size_t>(array == &args.x ? 3 * 67 : 90 * 67);
        std::vector<T> copy(size + offset);
        std::memcpy(static_cast<void*>(copy.data() + offset), *array, size * sizeof(T));
        shifted.push_back(std::move(copy));
        *array = shifted.back().data() + offset;
      }
      EXPECT_TRUE(expected.SameBits(RunKernel<T>(kernel(), args))) << "offset " << offset;
    }
  });
}

TEST_P(SparseGatedMlp, ThresholdZeroGivesTheBitsOfScaleZero) {
  WithFormat([&]<class T>(T) {
    MlpCase<T> mlp(4, 100, 77, 16, true);
    const MlpResult<T> zero_threshold = RunKernel<T>(kernel(), mlp.Args());
    mlp.threshold = {0.4f};
    mlp.scale = {0.0f};
    EXPECT_TRUE(zero_threshold.SameBits(RunKernel<T>(kernel(), mlp.Args())));
  });
}

TEST_P(SparseGatedMlp, RaisingTheThresholdOnlyShrinksTheActiveSet) {
  WithFormat([&]<class T>(T) {
    MlpCase<T> mlp(6, 64, 200, 17);
    std::vector<int32_t> previous(6, 200);
    for (float threshold : {0.0f, 0.001f, 0.01f, 0.05f, 0.1f, 0.3f, 1.0f, 10.0f}) {
      mlp.threshold = {threshold};
      const auto active = RunKernel<T>(kernel(), mlp.Args()).active;
      for (size_t row = 0; row < 6; ++row) EXPECT_LE(active[row], previous[row]);
      previous = active;
    }
  });
}

TEST_P(SparseGatedMlp, PermutingNeuronsChangesNothingBeyondRounding) {
  WithFormat([&]<class T>(T) {
    for (int64_t rows : {1, 24}) {
      MlpCase<T> mlp(rows, 66, 150, 22, true);
      mlp.WithoutCancellation();
      mlp.ThresholdsInGaps(reference::Activations<T>(mlp.Args()));
      const MlpResult<T> before = RunKernel<T>(kernel(), mlp.Args());
      // Neuron i goes to place 7 i mod 150.
      MlpCase<T> turned = mlp;
      for (size_t i = 0; i < 150; ++i) {
        const size_t to = i * 7 % 150;
        for (const auto& [from, into] : {std::pair(&mlp.gate, &turned.gate), std::pair(&mlp.up, &turned.up),
                                         std::pair(&mlp.down, &turned.down)}) {
          std::copy_n(from->begin() + static_cast<int64_t>(i * 66), 66,
                      into->begin() + static_cast<int64_t>(to * 66));
        }
        turned.gate_bias[to] = mlp.gate_bias[i];
        turned.up_bias[to] = mlp.up_bias[i];
        turned.threshold[to] = mlp.threshold[i];
      }
      const MlpResult<T> after = RunKernel<T>(kernel(), turned.Args());
      EXPECT_EQ(before.active, after.active);
      std::vector<double> expected;
      for (T value : before.y) expected.push_back(static_cast<double>(T::ToFloat(value)));
      EXPECT_LE(RelativeError(after.y, expected), 2 * ToleranceOf(GetParam().dtype)) << rows << " rows";
    }
  });
}

TEST_P(SparseGatedMlp, TakesZeroSizes) {
  WithFormat([&]<class T>(T) {
    for (int64_t rows : {0, 1, 3}) {
      for (int64_t hidden : {0, 5}) {
        for (int64_t intermediate : {0, 7}) {
          for (bool biases : {false, true}) {
            MlpCase<T> mlp(rows, hidden, intermediate, 18, biases);
            ExpectMatches(mlp, reference::Activations<T>(mlp.Args()), Sizes(rows, hidden, intermediate));
          }
        }
      }
    }
  });
}

TEST_P(SparseGatedMlp, WorksWithoutActiveCounts) {
  WithFormat([&]<class T>(T) {
    MlpCase<T> mlp(2, 33, 44, 19);
    mlp.threshold = {0.1f};
    const MlpResult<T> expected = RunKernel<T>(kernel(), mlp.Args());
    GatedMlpArgs args = mlp.Args();
    std::vector<T> y(expected.y.size());
    std::vector<uint8_t> scratch(kernel().scratch_bytes(2, 33, 44) + 64);
    args.scratch = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64);
    args.y = y.data();
    ASSERT_TRUE(kernel().run(args, SerialFor()));
    EXPECT_EQ(0, std::memcmp(y.data(), expected.y.data(), y.size() * sizeof(T)));
  });
}

TEST_P(SparseGatedMlp, ReportsAPoolThatFails) {
  WithFormat([&]<class T>(T) {
    MlpCase<T> mlp(2, 16, 16, 20);
    GatedMlpArgs args = mlp.Args();
    std::vector<T> y(32);
    std::vector<uint8_t> scratch(kernel().scratch_bytes(2, 16, 16) + 64);
    args.scratch = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64);
    args.y = y.data();
    const ParallelFor failing{[](void*, int64_t, ParallelFor::Body, void*) noexcept { return false; },
                              nullptr, 1};
    EXPECT_FALSE(kernel().run(args, failing));
  });
}

TEST_P(SparseGatedMlp, AsksForBoundedScratch) {
  for (int64_t rows : {1, 8, 512, 100000}) {
    for (const auto& [hidden, intermediate] :
         {std::pair<int64_t, int64_t>{64, 64}, {4096, 11008}, {5120, 13824}}) {
      const double bound = 16.0 * static_cast<double>(hidden + 4 * intermediate) *
                               static_cast<double>(std::min<int64_t>(rows, 512)) +
                           (1 << 20);
      EXPECT_LE(static_cast<double>(kernel().scratch_bytes(rows, hidden, intermediate)), bound);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, SparseGatedMlp, testing::ValuesIn(AllKernels()),
                         [](const testing::TestParamInfo<Kernel>& info) {
                           return std::string(NameOf(info.param.isa)) + "_" + NameOf(info.param.dtype) +
                                  (info.param.many_rows ? "_many_rows" : "_few_rows");
                         });

}  // namespace
}  // namespace cats::test
