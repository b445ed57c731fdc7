// SPDX-License-Identifier: MIT
// The vector type of the CPU kernels on AVX-512: 16 floats. Included inside a target region by
// gated_mlp_avx512.cc; dot.h says what each operation must do.
#pragma once

namespace cats {
namespace avx512 {

struct Vec {
  __m512 v;
};
constexpr int64_t kLanes = 16;

// Rows of weights that are read at once for a number of rows of x: accumulators, weights and one x fit in
// the 32 registers, and there are enough independent sums to hide the latency of FMA.
constexpr int kTokenTile = 8;
constexpr int NeuronTile(int tokens) { return tokens == 8 ? 3 : tokens == 4 ? 6 : 8; }
constexpr int kColumnTile = 3;      // vectors of output columns beside kTokenTile rows
constexpr bool kSkipsPairs = true;  // dot_kept.h
constexpr int kRowPanels = 2;       // panels beside one row: many_rows.h
constexpr int64_t kManyRowsFrom = 17;

inline Vec Zero() { return {_mm512_setzero_ps()}; }
inline Vec Broadcast(float value) { return {_mm512_set1_ps(value)}; }
inline Vec Load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline Vec Load(const F32* p) { return {_mm512_loadu_ps(&p->value)}; }
inline Vec Load(const F16* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline Vec Load(const BF16* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}
inline void Store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }
inline Vec Add(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vec Fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }

// 8 sums of 16 lanes, each in the same order: halves, then pairs of neighbours.
inline void SumEach8(const Vec* a /* [8] */, float* sums /* [8] */) {
  __m256 half[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    half[i] = _mm256_add_ps(_mm512_castps512_ps256(a[i].v), _mm512_extractf32x8_ps(a[i].v, 1));
  }
  const __m256 q0 = _mm256_hadd_ps(_mm256_hadd_ps(half[0], half[1]), _mm256_hadd_ps(half[2], half[3]));
  const __m256 q1 = _mm256_hadd_ps(_mm256_hadd_ps(half[4], half[5]), _mm256_hadd_ps(half[6], half[7]));
  const __m256 low = _mm256_permute2f128_ps(q0, q1, 0x20);
  const __m256 high = _mm256_permute2f128_ps(q0, q1, 0x31);
  _mm256_storeu_ps(sums, _mm256_add_ps(low, high));
}

// Loads a once; left alone, the compiler loads it again for each FMA, and loads bound the tiles.
inline Vec InRegister(Vec a) {
#if defined(__GNUC__)
  __asm__("" : "+v"(a.v));
#endif
  return a;
}

inline void PrefetchL2(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }

}  // namespace avx512
}  // namespace cats
