// SPDX-License-Identifier: MIT
// The dot products that decisions ask for and no others: one weight row with those rows of x that keep its
// neuron, in the order of dot.h, so with its bits. A weight is loaded for 1 to kTokenTile products and not
// for a tile of them, so this pays where enough of them fall away. Included inside a target region, in the
// namespace CATS_SIMD, after dot.h.
#pragma once

namespace cats {
namespace CATS_SIMD {

// Beyond this share of kept pairs full tiles are faster (AVX-512, Zen 4: equal at about .8).
constexpr bool IsWorthSkipping(int64_t kept, int64_t pairs) { return 4 * kept < 3 * pairs; }

// For each of kNeurons neurons out[n * stride + t] (+)= x[t] . w[n] for the kCount bits t of its mask, over
// size <= kDotBlock elements; meanwhile fetches `lines` lines of next[n].
template <int kNeurons, int kCount, class T>
inline void DotKept(const T* const* w, const uint32_t* masks, const float* x /* packed, kTokenTile rows */,
                    int64_t size, const T* const* next, int64_t lines, bool first, float* const* out) {
  constexpr int64_t kLine = kCacheLine / static_cast<int64_t>(sizeof(T));
  uint32_t tokens[kNeurons][kCount];
  const float* rows[kNeurons][kCount];
  constexpr int kSums = (kNeurons * kCount + 7) / 8 * 8;
  Vec sum[kSums];  // of neuron n and its t-th row: n * kCount + t
#pragma GCC unroll 16
  for (int i = 0; i < kSums; ++i) sum[i] = Zero();
#pragma GCC unroll 2
  for (int n = 0; n < kNeurons; ++n) {
    uint32_t mask = masks[n];
#pragma GCC unroll 8
    for (int t = 0; t < kCount; ++t, mask &= mask - 1) {
      tokens[n][t] = static_cast<uint32_t>(__builtin_ctz(mask));
      rows[n][t] = x + tokens[n][t] * kLanes;
    }
  }
  int64_t j = 0;
  for (; j + kLine <= size; j += kLine) {
    if (lines-- > 0) {
#pragma GCC unroll 2
      for (int n = 0; n < kNeurons; ++n) PrefetchL2(next[n] + j);
    }
#pragma GCC unroll 8
    for (int64_t lane = 0; lane < kLine; lane += kLanes) {
#pragma GCC unroll 2
      for (int n = 0; n < kNeurons; ++n) {
        const Vec weights = InRegister(Load(w[n] + j + lane));
#pragma GCC unroll 8
        for (int t = 0; t < kCount; ++t) {
          Vec& add = sum[n * kCount + t];
          add = Fma(weights, Load(rows[n][t] + (j + lane) * kTokenTile), add);
        }
      }
    }
  }
  for (; j < size; j += kLanes) {
#pragma GCC unroll 2
    for (int n = 0; n < kNeurons; ++n) {
      const Vec weights = size - j < kLanes ? LoadPart(w[n] + j, size - j) : Load(w[n] + j);
#pragma GCC unroll 8
      for (int t = 0; t < kCount; ++t) {
        Vec& add = sum[n * kCount + t];
        add = Fma(weights, Load(rows[n][t] + j * kTokenTile), add);
      }
    }
  }
  alignas(64) float sums[kSums];
#pragma GCC unroll 2
  for (int i = 0; i < kSums; i += 8) SumEach8(sum + i, sums + i);
#pragma GCC unroll 2
  for (int n = 0; n < kNeurons; ++n) {
#pragma GCC unroll 8
    for (int t = 0; t < kCount; ++t) {
      float* to = out[n] + tokens[n][t];
      *to = first ? sums[n * kCount + t] : *to + sums[n * kCount + t];
    }
  }
}

// One pack of rows in the order in which its neurons are taken: by the number of rows that keep them, so that
// two go side by side and the processor foresees which DotKept comes next.
struct KeptOrder {
  uint8_t neurons[kNeuronsPerPass];  // of the pass; those with most rows first
  uint8_t ends[kTokenTile + 1];      // ends[c]: how many neurons have c rows or more
  bool skips;                        // enough pairs fall away

  void Sort(const uint8_t* const* kept /* [count][groups] */, int64_t group, int64_t count) {
    int64_t pairs = 0;
    uint8_t size[kTokenTile + 2] = {};
    for (int64_t n = 0; n < count; ++n) {
      const int rows = __builtin_popcount(kept[n][group]);
      pairs += rows;
      ++size[rows];
    }
    skips = IsWorthSkipping(pairs, count * kTokenTile);
    uint8_t begin[kTokenTile + 2];
    begin[kTokenTile + 1] = 0;
    for (int c = kTokenTile; c >= 0; --c) {
      begin[c] = static_cast<uint8_t>(begin[c + 1] + size[c + 1]);
      ends[c] = static_cast<uint8_t>(begin[c] + size[c]);
    }
    for (int64_t n = 0; n < count; ++n)
      neurons[begin[__builtin_popcount(kept[n][group])]++] = static_cast<uint8_t>(n);
  }
};

// What DotKept needs of a pass.
template <class T>
struct KeptBlock {
  const WeightRows<T>& weights;
  const uint8_t* const* kept;  // [neurons][groups]: bit t: row t of the pack
  const DotBlock& block;
  int64_t group;
  const float* x;  // the pack, from the block on
  float* out;      // [neurons][stride]
  int64_t stride;
  int64_t line;  // of the block that follows, each pack fetches some lines from this one on
  int64_t lines;

  template <int kNeurons, int kCount>
  void Run(const uint8_t* neurons) const {
    constexpr int64_t kLine = kCacheLine / static_cast<int64_t>(sizeof(T));
    const T* w[kNeurons];
    const T* next[kNeurons];
    uint32_t masks[kNeurons];
    float* to[kNeurons];
    for (int i = 0; i < kNeurons; ++i) {
      w[i] = weights.w[neurons[i]] + block.j;
      next[i] = lines > 0 ? AfterBlock(weights, block, neurons[i]) + line * kLine : nullptr;
      masks[i] = kept[neurons[i]][group];
      to[i] = out + neurons[i] * stride;
    }
    DotKept<kNeurons, kCount>(w, masks, x, block.size, next, lines, block.first, to);
  }

  // The neurons from the i-th on that have kCount rows, then those that have fewer.
  template <int kCount>
  void RunAll(const KeptOrder& order, int64_t i) const {
    for (; i + 2 <= order.ends[kCount]; i += 2) Run<2, kCount>(order.neurons + i);
    if (i < order.ends[kCount]) Run<1, kCount>(order.neurons + i);
    if constexpr (kCount > 1) RunAll<kCount - 1>(order, order.ends[kCount]);
  }
};

// As DotPass with kTokenTile rows in a pack, for pairs of a neuron and a row that keeps it; the other
// elements of out are undefined.
template <class T>
void DotPassKept(const WeightRows<T>& weights,
                 const uint8_t* const* kept /* [neurons][groups]: bit t: row t */, const float* x,
                 int64_t groups, int64_t size, float* out, int64_t stride) {
  const int64_t pack = RoundUp(size, kLanes) * kTokenTile;
  constexpr int64_t kLines = kDotBlock * static_cast<int64_t>(sizeof(T)) / kCacheLine;
  const int64_t share = PiecesOf(kLines, groups);
  KeptOrder orders[kMaxRows / kTokenTile];
  for (int64_t group = 0; group < groups; ++group) orders[group].Sort(kept, group, weights.neurons);
  ForEachDotBlock(size, [&](const DotBlock& block) {
    const bool fetch = (!block.last || weights.next_neurons > 0) && block.size == kDotBlock;
    for (int64_t group = 0; group < groups; ++group) {
      const float* tokens = x + group * pack + block.j * kTokenTile;
      float* to = out + group * kTokenTile;
      if (!orders[group].skips) {
        DotGroup<kTokenTile>(weights, tokens, group, groups, block, to, stride);
        continue;
      }
      const int64_t lines = fetch ? std::clamp<int64_t>(kLines - group * share, 0, share) : 0;
      const KeptBlock<T> part{weights, kept, block, group, tokens, to, stride, group * share, lines};
      part.template RunAll<kTokenTile>(orders[group], 0);
    }
  });
}

}  // namespace CATS_SIMD
}  // namespace cats
