// SPDX-License-Identifier: MIT
// The choice of the instruction set, and CATS_FORCE_ISA.
#include "kernels/cpu/isa.h"

#include <gtest/gtest.h>

#include <string>

namespace cats::test {
namespace {

TEST(Isa, ChoosesTheBestSupportedOneByItself) {
  for (const char* unset : {static_cast<const char*>(nullptr), ""}) {
    Isa isa = Isa::kGeneric;
    std::string message;
    ASSERT_TRUE(ChooseIsa(unset, &isa, &message));
    EXPECT_TRUE(IsSupported(isa));
    for (Isa other : kIsas) {
      EXPECT_TRUE(!IsSupported(other) || other <= isa) << NameOf(other);
    }
  }
}

TEST(Isa, ForcesANamedOneOrSaysWhyNot) {
  for (Isa wanted : kIsas) {
    Isa isa = Isa::kGeneric;
    std::string message;
    if (IsSupported(wanted)) {
      EXPECT_TRUE(ChooseIsa(NameOf(wanted), &isa, &message)) << message;
      EXPECT_EQ(wanted, isa);
    } else {
      EXPECT_FALSE(ChooseIsa(NameOf(wanted), &isa, &message));
      EXPECT_NE(std::string::npos, message.find(NameOf(wanted))) << message;
    }
  }
}

TEST(Isa, RefusesAnUnknownNameAndListsTheKnownOnes) {
  Isa isa = Isa::kGeneric;
  std::string message;
  EXPECT_FALSE(ChooseIsa("sse9", &isa, &message));
  for (const char* part : {"CATS_FORCE_ISA", "sse9", "generic", "avx2", "avx512"}) {
    EXPECT_NE(std::string::npos, message.find(part)) << message;
  }
}

TEST(Isa, EverySupportedOneHasKernelsForEveryFormat) {
  EXPECT_TRUE(IsSupported(Isa::kGeneric));
  for (Isa isa : kIsas) {
    if (!IsSupported(isa)) continue;
    for (DType dtype : kDTypes) {
      const GatedMlpKernels* kernels = GatedMlpKernelsOf(isa, dtype);
      ASSERT_NE(nullptr, kernels) << NameOf(isa) << " " << NameOf(dtype);
      EXPECT_NE(nullptr, kernels->few_rows.run);
      EXPECT_NE(nullptr, kernels->many_rows.run);
      EXPECT_GE(kernels->many_rows_from(4096, 11008), 1);
    }
  }
}

}  // namespace
}  // namespace cats::test
