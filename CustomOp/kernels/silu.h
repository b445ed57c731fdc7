// SPDX-License-Identifier: MIT
// SiLU(g) = g / (1 + exp(-g)) in float32: the one implementation that every CPU path and every CUDA path
// uses, so that they take the same decisions. It is at most 1.75 ulp off (silu_test.cc; measured 1.65).
//
// Bit-equality rests on this: only +, -, *, / of float32 (each correctly rounded by IEEE 754) and integer
// arithmetic; no FMA (the library is compiled with -ffp-contract=off, device code names the rounded
// intrinsics), no branch. A loop `for (i) a[i] = Silu(g[i])` inside a target region becomes vector code of
// that instruction set with the same bits.
#pragma once
#include "formats/portable.h"

namespace cats {

CATS_HD float MulRn(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

CATS_HD float AddRn(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}

CATS_HD float DivRn(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fdiv_rn(a, b);
#else
  return a / b;
#endif
}

// NaN gives NaN; +inf gives +inf; -inf gives NaN, as g * Sigmoid(g) does; -0 gives -0.
CATS_HD float Silu(float g) {
  // exp(-g) = 2^n * exp(r), |r| <= ln(2) / 2. Outside [-87, 109] the exponential is 0 or infinite for our
  // purpose; the clamp works on the bits, so NaN lands somewhere harmless (g itself is the numerator).
  const uint32_t bits = BitsOf(g);
  const uint32_t magnitude = bits & 0x7fffffffu;
  const bool negative = (bits >> 31) != 0u;
  const uint32_t limit = negative ? 0x42da0000u /* 109 */ : 0x42ae0000u /* 87 */;
  const uint32_t clamped = magnitude < limit ? magnitude : limit;
  const float x = FloatOf(clamped | (negative ? 0u : 0x80000000u));

  const float shifter = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const float shifted = AddRn(MulRn(x, 1.44269504088896341f), shifter);
  const float n = AddRn(shifted, -shifter);
  const int32_t exponent = static_cast<int32_t>(BitsOf(shifted) - BitsOf(shifter));
  // ln(2) = 22713 / 32768 + 1.4286e-6: n has at most 8 bits, so its product with the first part is exact.
  float r = AddRn(x, MulRn(n, -0.693145751953125f));
  r = AddRn(r, MulRn(n, -1.4286067653e-6f));

  // exp(r) - 1 = r + r^2 q(r); q interpolates (exp(r) - 1 - r) / r^2 at the six Chebyshev nodes of
  // [-ln(2)/2, ln(2)/2], which is 0.003 * 2^-24 off.
  float q = 1.9891030388e-4f;
  q = AddRn(MulRn(q, r), 1.3933685841e-3f);
  q = AddRn(MulRn(q, r), 8.3333104849e-3f);
  q = AddRn(MulRn(q, r), 4.1666463017e-2f);
  q = AddRn(MulRn(q, r), 1.6666667163e-1f);
  q = AddRn(MulRn(q, r), 0.5f);
  const float s = AddRn(MulRn(MulRn(r, r), q), r);  // exp(r) - 1

  // 1 + exp(-g) = 2^n ((1 + 2^-n) + s). Up to n = 23 the inner sum is exact, above it 2^-n goes to the small
  // term first: so only the last sum rounds. Below -64 numerator and denominator are both scaled by 2^-64,
  // so that exp(-g) does not overflow where the quotient is still a float32; 2^-n does not count there.
  const bool far = negative && magnitude >= 0x42800000u;
  const int32_t down = far ? 64 : 0;
  const uint32_t inverse = far ? 0u : static_cast<uint32_t>(127 - exponent) << 23;  // bits of 2^-n
  const float large = AddRn(1.0f, FloatOf(exponent > 23 ? 0u : inverse));
  const float small = FloatOf(exponent > 23 ? inverse : 0u);
  const float power = FloatOf(static_cast<uint32_t>(127 + exponent - down) << 23);
  const float denominator = MulRn(AddRn(large, AddRn(small, s)), power);
  const bool infinite = negative && magnitude >= 0x42da0000u;
  const float scale = FloatOf(static_cast<uint32_t>(127 - down) << 23);
  return DivRn(MulRn(g, scale), infinite ? FloatOf(0x7f800000u) : denominator);
}

}  // namespace cats
