// SPDX-License-Identifier: MIT
// Dot products of several weight rows with several rows of x, once for every instruction set: included
// inside a target region, in the namespace CATS_SIMD, after a simd_<isa>.h. That header gives Vec with
// kLanes floats, loads that widen a stored format exactly, Fma, SumEach8 and the tile sizes.
//
// One order for every path, so that one row, a few rows and prefill take the same decisions bit for bit on
// one ISA: x . w is the sum, from left to right, of blocks of kDotBlock elements; a block is one Fma chain
// per lane and one SumEach8.
#pragma once

namespace cats {
namespace CATS_SIMD {

// 2 KiB of float: 8 rows of x and 3 of weights stay in the L1 cache while all neurons of a task pass by.
constexpr int64_t kDotBlock = 512;
constexpr int64_t kCacheLine = 64;

constexpr int64_t RoundUp(int64_t size, int64_t unit) { return (size + unit - 1) / unit * unit; }
constexpr int64_t PiecesOf(int64_t size, int64_t piece) { return (size + piece - 1) / piece; }

// The first count elements, count < kLanes; the other lanes are 0. Nothing beyond them is read.
template <class T>
inline Vec LoadPart(const T* p, int64_t count) {
  alignas(64) T part[kLanes] = {};
  std::memcpy(part, p, static_cast<size_t>(count) * sizeof(T));
  return Load(part);
}
inline Vec LoadPart(const float* p, int64_t count) {
  return LoadPart(reinterpret_cast<const F32*>(p), count);
}

inline void StorePart(float* p, Vec a, int64_t count) {
  alignas(64) float part[kLanes];
  Store(part, a);
  std::memcpy(p, part, static_cast<size_t>(count) * sizeof(float));
}

// Rows of x as the tiles read them: kTokens rows side by side, kLanes elements of each in turn, on cache
// lines, widened to float, with zeros for the elements and rows that do not exist. One pointer then serves
// all rows, nothing straddles two lines, and rows whose distance is a power of two do not evict each other.
//   packed[j / kLanes][t][j % kLanes] = x[t][j]
template <int kTokens, class T>
void PackTokens(const T* x /* [rows][size] */, int64_t rows, int64_t size, float* packed) {
  for (int64_t j = 0; j < size; j += kLanes) {
    const int64_t count = std::min(kLanes, size - j);
    for (int64_t t = 0; t < kTokens; ++t) {
      const T* from = x + t * size + j;
      Store(packed, t >= rows ? Zero() : count < kLanes ? LoadPart(from, count) : Load(from));
      packed += kLanes;
    }
  }
}

// out[n * stride + t] (+)= x[t] . w[n] over size <= kDotBlock elements. next[n]: prefetched line by line
// while w[n] is read; kPrefetch of them from the first.
template <int kNeurons, int kTokens, int kPrefetch, class T>
inline void DotTile(const T* const* w /* [kNeurons][size] */, const float* x /* packed, kTokens rows */,
                    int64_t size, const T* const* next /* [kPrefetch][size] */, bool first,
                    float* out /* [kNeurons][stride] */, int64_t stride) {
  constexpr int64_t kLine = kCacheLine / static_cast<int64_t>(sizeof(T));
  Vec sum[kNeurons][kTokens];
#pragma GCC unroll 8
  for (int n = 0; n < kNeurons; ++n) {
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) sum[n][t] = Zero();
  }
  const T* rows[kNeurons];
#pragma GCC unroll 8
  for (int n = 0; n < kNeurons; ++n) rows[n] = w[n];
  int64_t j = 0;
  for (; j + kLine <= size; j += kLine) {
#pragma GCC unroll 8
    for (int n = 0; n < kPrefetch; ++n) PrefetchL2(next[n] + j);
#pragma GCC unroll 8
    for (int64_t lane = 0; lane < kLine; lane += kLanes) {
      Vec weights[kNeurons];
#pragma GCC unroll 8
      for (int n = 0; n < kNeurons; ++n) weights[n] = Load(rows[n] + j + lane);
#pragma GCC unroll 8
      for (int t = 0; t < kTokens; ++t) {
        const Vec token = InRegister(Load(x + (j + lane) * kTokens + t * kLanes));
#pragma GCC unroll 8
        for (int n = 0; n < kNeurons; ++n) sum[n][t] = Fma(weights[n], token, sum[n][t]);
      }
    }
  }
  for (; j < size; j += kLanes) {
    const int64_t left = size - j;
    Vec weights[kNeurons];
#pragma GCC unroll 8
    for (int n = 0; n < kNeurons; ++n) {
      weights[n] = left < kLanes ? LoadPart(rows[n] + j, left) : Load(rows[n] + j);
    }
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) {
      const Vec token = InRegister(Load(x + j * kTokens + t * kLanes));
#pragma GCC unroll 8
      for (int n = 0; n < kNeurons; ++n) sum[n][t] = Fma(weights[n], token, sum[n][t]);
    }
  }
  // All sums in row order, 8 at a time.
  constexpr int kCount = kNeurons * kTokens;
  Vec flat[(kCount + 7) / 8 * 8];
#pragma GCC unroll 32
  for (int i = 0; i < (kCount + 7) / 8 * 8; ++i)
    flat[i] = i < kCount ? sum[i / kTokens][i % kTokens] : Zero();
  alignas(64) float sums[(kCount + 7) / 8 * 8];
#pragma GCC unroll 4
  for (int i = 0; i < (kCount + 7) / 8; ++i) SumEach8(flat + 8 * i, sums + 8 * i);
#pragma GCC unroll 8
  for (int n = 0; n < kNeurons; ++n) {
    float* to = out + n * stride;
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) to[t] = first ? sums[n * kTokens + t] : to[t] + sums[n * kTokens + t];
  }
}

// Up to kNeurons rows, in tiles of kNeurons, a half of it, and so on: no row is read twice.
template <int kNeurons, int kTokens, class T>
inline void DotTiles(int64_t neurons, const T* const* w, const float* x, int64_t size, bool first, float* out,
                     int64_t stride) {
  for (; neurons >= kNeurons; neurons -= kNeurons) {
    DotTile<kNeurons, kTokens, 0>(w, x, size, w, first, out, stride);
    w += kNeurons;
    out += kNeurons * stride;
  }
  if constexpr (kNeurons > 1) DotTiles<kNeurons / 2, kTokens>(neurons, w, x, size, first, out, stride);
}

constexpr int64_t kNeuronsPerPass = 48;  // a multiple of every NeuronTile
constexpr int64_t kMaxRows = 256;        // rows of one block; more rows run block after block

// Weight rows that are multiplied one after the other, and those that the caller asks for afterwards.
template <class T>
struct WeightRows {
  const T* const* w;     // [neurons][size]
  int64_t neurons;       // at most kNeuronsPerPass
  const T* const* next;  // [next_neurons][size]
  int64_t next_neurons;
};

// A block of kDotBlock elements, the last one shorter.
struct DotBlock {
  int64_t j;
  int64_t size;
  bool first;
  bool last;
};

// The part of neuron n's row that follows the block, or of the row that takes its place in the next pass.
template <class T>
inline const T* AfterBlock(const WeightRows<T>& rows, const DotBlock& block, int64_t n) {
  return block.last ? rows.next[std::min(n, rows.next_neurons - 1)] : rows.w[n] + block.j + kDotBlock;
}

// One block of all neurons with one of `groups` packs of kTokens rows: tiles of neurons.
template <int kTokens, class T>
void DotGroup(const WeightRows<T>& weights, const float* x /* the pack, from the block on */, int64_t group,
              int64_t groups, const DotBlock& block, float* out /* [neurons][stride] */, int64_t stride) {
  constexpr int kTile = NeuronTile(kTokens);
  // Each group of tokens fetches its share of the tile's rows of the next block.
  const int64_t share = groups == 1 ? kTile : groups == 2 ? (kTile + 1) / 2 : 1;
  const bool fetch =
      (!block.last || weights.next_neurons > 0) && group * share < kTile && block.size == kDotBlock;
  for (int64_t n = 0; n < weights.neurons; n += kTile) {
    const T* rows[kTile];
    const T* ahead[kTile];
    const int64_t count = std::min<int64_t>(kTile, weights.neurons - n);
    for (int64_t i = 0; i < count; ++i) rows[i] = weights.w[n + i] + block.j;
    float* to = out + n * stride;
    if (count < kTile || !fetch) {
      DotTiles<kTile, kTokens>(count, rows, x, block.size, block.first, to, stride);
      continue;
    }
    for (int64_t i = 0; i < share; ++i) {
      ahead[i] = AfterBlock(weights, block, n + std::min<int64_t>(group * share + i, kTile - 1));
    }
    if constexpr (kTokens == kTokenTile) {  // smaller groups are alone
      if (groups == 2) {
        DotTile<kTile, kTokens, (kTile + 1) / 2>(rows, x, block.size, ahead, block.first, to, stride);
        continue;
      }
      if (groups > 2) {
        DotTile<kTile, kTokens, 1>(rows, x, block.size, ahead, block.first, to, stride);
        continue;
      }
    }
    DotTile<kTile, kTokens, kTile>(rows, x, block.size, ahead, block.first, to, stride);
  }
}

// body(block) for each block of a row, also for an empty one.
template <class Body>
inline void ForEachDotBlock(int64_t size, Body&& body) {
  for (int64_t j = 0; j == 0 || j < size; j += kDotBlock) {
    body(DotBlock{j, std::min(kDotBlock, size - j), j == 0, j + kDotBlock >= size});
  }
}

// out[n * stride + t] = x[t] . w[n]. x: `groups` packs of kTokens rows, each RoundUp(size, kLanes) long;
// stride >= groups * kTokens.
template <int kTokens, class T>
void DotPass(const WeightRows<T>& weights, const float* x, int64_t groups, int64_t size, float* out,
             int64_t stride) {
  const int64_t pack = RoundUp(size, kLanes) * kTokens;
  ForEachDotBlock(size, [&](const DotBlock& block) {
    for (int64_t group = 0; group < groups; ++group) {
      DotGroup<kTokens>(weights, x + group * pack + block.j * kTokens, group, groups, block,
                        out + group * kTokens, stride);
    }
  });
}

}  // namespace CATS_SIMD
}  // namespace cats
