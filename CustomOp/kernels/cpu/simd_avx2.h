// SPDX-License-Identifier: MIT
// The vector type of the CPU kernels on AVX2 with FMA and F16C: 8 floats. Included inside a target region
// by gated_mlp_avx2.cc; dot.h says what each operation must do.
#pragma once

namespace cats {
namespace avx2 {

struct Vec {
  __m256 v;
};
constexpr int64_t kLanes = 8;

// 16 registers: 3 x 4 accumulators, 3 weights, one x.
constexpr int kTokenTile = 4;
constexpr int NeuronTile(int tokens) { return tokens == 4 ? 3 : tokens == 2 ? 4 : 8; }
constexpr int kColumnTile = 3;
constexpr bool kSkipsPairs = false;  // up to 4 sums at once do not hide the latency of FMA
constexpr int kRowPanels = 4;
constexpr int64_t kManyRowsFrom = 17;

inline Vec Zero() { return {_mm256_setzero_ps()}; }
inline Vec Broadcast(float value) { return {_mm256_set1_ps(value)}; }
inline Vec Load(const float* p) { return {_mm256_loadu_ps(p)}; }
inline Vec Load(const F32* p) { return {_mm256_loadu_ps(&p->value)}; }
inline Vec Load(const F16* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
inline Vec Load(const BF16* p) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
}
inline void Store(float* p, Vec a) { _mm256_storeu_ps(p, a.v); }
inline Vec Add(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vec Fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }

// 8 sums of 8 lanes, each in the same order: pairs of neighbours, twice, then halves.
inline void SumEach8(const Vec* a /* [8] */, float* sums /* [8] */) {
  const __m256 q0 = _mm256_hadd_ps(_mm256_hadd_ps(a[0].v, a[1].v), _mm256_hadd_ps(a[2].v, a[3].v));
  const __m256 q1 = _mm256_hadd_ps(_mm256_hadd_ps(a[4].v, a[5].v), _mm256_hadd_ps(a[6].v, a[7].v));
  const __m256 low = _mm256_permute2f128_ps(q0, q1, 0x20);
  const __m256 high = _mm256_permute2f128_ps(q0, q1, 0x31);
  _mm256_storeu_ps(sums, _mm256_add_ps(low, high));
}

// Loads a once; left alone, the compiler loads it again for each FMA, and loads bound the tiles.
inline Vec InRegister(Vec a) {
#if defined(__GNUC__)
  __asm__("" : "+x"(a.v));
#endif
  return a;
}

inline void PrefetchL2(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }

}  // namespace avx2
}  // namespace cats
