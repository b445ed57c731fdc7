// SPDX-License-Identifier: MIT
// The vector type of the CPU kernels in the compiler's own vectors: 4 floats, SSE2 on x86-64, NEON on
// arm64. dot.h says what each operation must do.
#pragma once

namespace cats {
namespace generic {

struct Vec {
  typedef float Lanes __attribute__((vector_size(16)));
  Lanes v;
};
constexpr int64_t kLanes = 4;

// 16 registers without memory operands for FMA: 2 x 4 accumulators, 2 weights, one x, the products.
constexpr int kTokenTile = 4;
constexpr int NeuronTile(int tokens) { return tokens == 4 ? 2 : 4; }
constexpr int kColumnTile = 2;
constexpr bool kSkipsPairs = false;
constexpr int kRowPanels = 4;
constexpr int64_t kManyRowsFrom = 17;

inline Vec Zero() { return {Vec::Lanes{0.0f, 0.0f, 0.0f, 0.0f}}; }
inline Vec Broadcast(float value) { return {Vec::Lanes{value, value, value, value}}; }
inline Vec Load(const float* p) {
  Vec a;
  std::memcpy(&a.v, p, sizeof a.v);
  return a;
}
inline Vec Load(const F32* p) { return Load(&p->value); }
template <class T>
inline Vec Load(const T* p) {
  return {Vec::Lanes{T::ToFloat(p[0]), T::ToFloat(p[1]), T::ToFloat(p[2]), T::ToFloat(p[3])}};
}
inline void Store(float* p, Vec a) { std::memcpy(p, &a.v, sizeof a.v); }
inline Vec Add(Vec a, Vec b) { return {a.v + b.v}; }
inline Vec Fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }  // two roundings: no FMA here

inline void SumEach8(const Vec* a /* [8] */, float* sums /* [8] */) {
  for (int i = 0; i < 8; ++i) sums[i] = (a[i].v[0] + a[i].v[2]) + (a[i].v[1] + a[i].v[3]);
}

// SSE2 has no FMA with a memory operand to be kept from.
inline Vec InRegister(Vec a) { return a; }

inline void PrefetchL2(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace generic
}  // namespace cats
