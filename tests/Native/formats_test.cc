// SPDX-License-Identifier: MIT
// The stored formats against their definition: every 16-bit pattern, and floats around every rounding point.
#include <gtest/gtest.h>

#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include "formats/dtype.h"
#include "kernels/cpu/target.h"
#include "kernels/reference/sparse_gated_mlp.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cats::test {
namespace {

// The value of a pattern by the formula of IEEE 754.
double Defined(uint16_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = bits & 0x8000 ? -1.0 : 1.0;
  if (exponent == (1 << exponent_bits) - 1) return mantissa == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

template <class T>
struct Layout;
template <>
struct Layout<F16> {
  static constexpr int kExponent = 5, kMantissa = 10;
};
template <>
struct Layout<BF16> {
  static constexpr int kExponent = 8, kMantissa = 7;
};

template <class T>
class Format16 : public testing::Test {};
using Formats16 = testing::Types<F16, BF16>;
TYPED_TEST_SUITE(Format16, Formats16);

TYPED_TEST(Format16, LoadsEveryPatternAsDefined) {
  using T = TypeParam;
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = T::ToFloat({static_cast<uint16_t>(bits)});
    const double expected = Defined(static_cast<uint16_t>(bits), Layout<T>::kExponent, Layout<T>::kMantissa);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << std::hex << bits;
    } else {
      ASSERT_EQ(expected, static_cast<double>(value)) << std::hex << bits;
      ASSERT_EQ(std::signbit(expected), std::signbit(value)) << std::hex << bits;
    }
  }
}

TYPED_TEST(Format16, StoresWhatItLoaded) {
  using T = TypeParam;
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const T stored{static_cast<uint16_t>(bits)};
    const T again = T::FromFloat(T::ToFloat(stored));
    if (std::isnan(T::ToFloat(stored))) {
      ASSERT_TRUE(std::isnan(T::ToFloat(again))) << std::hex << bits;
      ASSERT_EQ(bits & 0x8000u, again.bits & 0x8000u);
    } else {
      ASSERT_EQ(stored.bits, again.bits);
    }
  }
}

// Between each neighbouring pair: the middle goes to the even one, a float beside the middle to the nearer.
TYPED_TEST(Format16, RoundsToNearestTiesToEven) {
  using T = TypeParam;
  const uint32_t infinity = ((1u << Layout<T>::kExponent) - 1u) << Layout<T>::kMantissa;
  for (uint32_t bits = 0; bits < infinity; ++bits) {
    const double low = Defined(static_cast<uint16_t>(bits), Layout<T>::kExponent, Layout<T>::kMantissa);
    // Above the largest finite number the next would be one unit further.
    const double high =
        bits + 1 < infinity
            ? Defined(static_cast<uint16_t>(bits + 1), Layout<T>::kExponent, Layout<T>::kMantissa)
            : low + (low -
                     Defined(static_cast<uint16_t>(bits - 1), Layout<T>::kExponent, Layout<T>::kMantissa));
    const float middle = static_cast<float>((low + high) / 2);
    ASSERT_EQ((low + high) / 2, static_cast<double>(middle));
    const uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    for (uint32_t sign : {0u, 0x80000000u}) {
      const auto store = [&](float value) { return T::FromFloat(FloatOf(BitsOf(value) | sign)).bits; };
      const auto s = static_cast<uint16_t>(sign >> 16);
      ASSERT_EQ(even | s, store(middle)) << std::hex << bits;
      ASSERT_EQ(bits | s, store(std::nextafterf(middle, 0.0f))) << std::hex << bits;
      ASSERT_EQ((bits + 1) | s, store(std::nextafterf(middle, INFINITY))) << std::hex << bits;
    }
  }
  EXPECT_EQ(infinity, T::FromFloat(INFINITY).bits);
  EXPECT_EQ(infinity, T::FromFloat(std::numeric_limits<float>::max()).bits);
  EXPECT_EQ(0u, T::FromFloat(std::numeric_limits<float>::denorm_min()).bits);
  EXPECT_EQ(0x8000u, T::FromFloat(-std::numeric_limits<float>::denorm_min()).bits);
}

TYPED_TEST(Format16, KeepsNanWhateverItsPayload) {
  using T = TypeParam;
  for (uint32_t payload = 1; payload < 0x800000u; payload = payload * 2 + payload % 3) {
    EXPECT_TRUE(std::isnan(T::ToFloat(T::FromFloat(FloatOf(0x7f800000u | payload)))));
    EXPECT_TRUE(std::isnan(T::ToFloat(T::FromFloat(FloatOf(0xff800000u | payload)))));
  }
}

TYPED_TEST(Format16, DoesNotDependOnTheRoundingMode) {
  using T = TypeParam;
  std::fesetround(FE_UPWARD);
  volatile float value = 1.0f + 1.0f / 4096.0f;
  const uint16_t bits = T::FromFloat(value).bits;
  std::fesetround(FE_TONEAREST);
  EXPECT_EQ(T::FromFloat(1.0f).bits, bits);
}

TEST(Float32, IsStoredAsItIs) {
  for (uint32_t bits : {0u, 0x80000000u, 1u, 0x7f800000u, 0x7f800001u, 0xffc12345u, 0x3f800000u}) {
    EXPECT_EQ(bits, BitsOf(F32::ToFloat(F32::FromFloat(FloatOf(bits)))));
  }
}

#if defined(__x86_64__) && defined(__GNUC__)
CATS_TARGET_BEGIN_AVX2
__attribute__((noinline)) uint16_t HardwareStore(float value) {
  return static_cast<uint16_t>(
      _mm_extract_epi16(_mm_cvtps_ph(_mm_set_ss(value), _MM_FROUND_TO_NEAREST_INT), 0));
}
__attribute__((noinline)) float HardwareLoad(uint16_t bits) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}
CATS_TARGET_END

TEST(Float16, AgreesWithTheProcessorToTheBit) {
  if (!__builtin_cpu_supports("f16c")) GTEST_SKIP() << "no F16C on this processor";
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    ASSERT_EQ(BitsOf(HardwareLoad(static_cast<uint16_t>(bits))),
              BitsOf(F16::ToFloat({static_cast<uint16_t>(bits)})));
  }
  uint64_t different = 0;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 97) {
    const float value = FloatOf(static_cast<uint32_t>(bits));
    different += HardwareStore(value) != F16::FromFloat(value).bits;
  }
  EXPECT_EQ(0u, different);
}
#endif

TEST(DType, ANumberThatNamesNoFormatIsNoSuccess) {
  EXPECT_THROW(WithFormat(static_cast<DType>(99), [](auto) { return 0; }), std::invalid_argument);
}

TEST(Reference, RoundsADoubleOnce) {
  // A hair above the middle of two float16 numbers: through float it would fall on the middle and go down.
  const double value = 1.0 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40);
  EXPECT_EQ(F16::FromFloat(1.0f).bits + 1, reference::RoundTo<F16>(value).bits);
  EXPECT_EQ(F16::FromFloat(-1.0f).bits + 1, reference::RoundTo<F16>(-value).bits);
  EXPECT_EQ(F16::FromFloat(1.0f).bits, reference::RoundTo<F16>(1.0 + std::ldexp(1.0, -11)).bits);
  EXPECT_EQ(F16::FromFloat(1.0f).bits,
            reference::RoundTo<F16>(1.0 + std::ldexp(1.0, -11) - std::ldexp(1.0, -40)).bits);
}

}  // namespace
}  // namespace cats::test
