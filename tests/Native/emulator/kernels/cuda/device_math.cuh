// SPDX-License-Identifier: MIT
// CustomOp/kernels/cuda/device_math.cuh for the emulator. Products of matrices add in the order of the depth,
// which a tensor core need not.
#pragma once
#include "emulator/emulator.h"
#include "formats/bf16.h"
#include "formats/f16.h"
#include "formats/f32.h"

namespace cats::cuda {

constexpr uint32_t kAll = 0xffffffffu;  // lanes

template <class T>
float HalfOf(uint32_t pair, bool high) {
  return T::ToFloat(T{static_cast<uint16_t>(high ? pair >> 16 : pair)});
}

template <class T>
float2 Unpack(T, uint32_t pair) {
  return {HalfOf<T>(pair, false), HalfOf<T>(pair, true)};
}

template <class T>
float Rounded(T, float v) {
  return T::ToFloat(T::FromFloat(v));
}

inline uint16_t StoredBits(F16, float v) { return F16::FromFloat(v).bits; }
inline uint16_t StoredBits(BF16, float v) { return BF16::FromFloat(v).bits; }
inline uint32_t StoredBits(F32, float v) { return __float_as_uint(v); }

template <class T>
float Widened(T v) {
  return T::ToFloat(v);
}

// What the lanes hold of A (16 x Depth), and of B (Depth x 8): lane 4g + t has of A rows g and g + 8, of B
// column g, in depth 2t, 2t + 1 and the same plus 8.
template <int Depth>
struct Fragments {
  uint32_t a[Depth / 4], b[Depth / 8];
};

template <class T, int Depth>
void MatrixProduct(float (&c)[4], const Fragments<Depth>& own) {
  const auto all = emulator::Gather(own);
  const unsigned g = emulator::Lane() / 4, t = emulator::Lane() % 4;
  for (unsigned half = 0; half < 2; ++half) {
    for (unsigned column = 0; column < 2; ++column) {
      float& sum = c[half * 2 + column];
      for (unsigned k = 0; k < Depth; ++k) {
        const unsigned holder = k % 8 / 2, part = k / 8;
        sum += HalfOf<T>(all[g * 4 + holder].a[part * 2 + half], k % 2 != 0) *
               HalfOf<T>(all[(t * 2 + column) * 4 + holder].b[part], k % 2 != 0);
      }
    }
  }
}

template <class T>
void MatrixFma(T, float (&c)[4], const uint4& a, uint32_t b0, uint32_t b1) {
  MatrixProduct<T, 16>(c, {{a.x, a.y, a.z, a.w}, {b0, b1}});
}

template <class T>
void MatrixFma8(T, float (&c)[4], uint32_t a0, uint32_t a1, uint32_t b) {
  MatrixProduct<T, 8>(c, {{a0, a1}, {b}});
}

inline void LoadTransposed(uint32_t (&w)[4], uint32_t row) {
  const auto rows = emulator::Gather(row);
  const unsigned g = emulator::Lane() / 4, t = emulator::Lane() % 4;
  for (unsigned m = 0; m < 4; ++m) {
    uint16_t pair[2];
    for (unsigned e = 0; e < 2; ++e) {
      std::memcpy(&pair[e], emulator::current->block->shared.get() + rows[m * 8 + 2 * t + e] + g * 2, 2);
    }
    w[m] = pair[0] | static_cast<uint32_t>(pair[1]) << 16;
  }
}

}  // namespace cats::cuda
