// SPDX-License-Identifier: MIT
// Prefill, bound by arithmetic: after neurons.h, a task takes some columns of y and walks the down rows in
// blocks, widened and packed once per block, against tiles of rows. Included inside a target region, in the
// namespace CATS_SIMD.
#pragma once

namespace cats {
namespace CATS_SIMD {

constexpr int64_t kPanel = kColumnTile * kLanes;  // columns of a tile
constexpr int64_t kMaxPanels = 8;                 // panels of a task
constexpr int64_t kDownBlock = 64;                // neurons packed at once

template <class T>
struct ManyRowsDown {
  const GatedMlpArgs& args;
  int64_t rows;
  int64_t padded;       // a multiple of kTokenTile
  const float* h;       // [intermediate][padded], +0 where not kept
  const int32_t* list;  // [listed]: the neurons that some row keeps, ascending
  int64_t listed;
  int64_t panels;  // of a task
  int64_t width;   // hidden rounded up to kPanel
  float* sums;     // [padded][width]

  static void Task(void* self, int64_t task) { static_cast<const ManyRowsDown*>(self)->Run(task); }
  int64_t Tasks() const { return PiecesOf(args.hidden, panels * kPanel); }

  void Run(int64_t task) const {
    const int64_t first = task * panels * kPanel;
    const int64_t columns = std::min(panels * kPanel, args.hidden - first);
    const int64_t used = PiecesOf(columns, kPanel);
    alignas(64) float packed[kMaxPanels * kDownBlock * kPanel];  // [used][kDownBlock][kPanel]
    for (int64_t n = 0; n == 0 || n < listed; n += kDownBlock) {
      const int64_t count = std::min(kDownBlock, listed - n);
      const int64_t next_count = std::min(kDownBlock, listed - n - count);
      Pack(list + n, count, first, columns, packed);
      for (int64_t panel = 0; panel < used; ++panel) {
        for (int64_t r = 0; r < padded; r += kTokenTile) {
          const int64_t line = r / kTokenTile * kCacheLine / static_cast<int64_t>(sizeof(T));
          const bool fetch = line < kPanel;
          Tile(packed + panel * kDownBlock * kPanel, h + r, list + n, count, n == 0,
               sums + r * width + first + panel * kPanel,
               static_cast<const T*>(args.down) + first + panel * kPanel + line, fetch ? next_count : 0);
        }
      }
    }
    Finish(first, columns);
  }

 private:
  void Pack(const int32_t* neurons, int64_t count, int64_t first, int64_t columns, float* packed) const {
    for (int64_t i = 0; i < count; ++i) {
      const T* from = static_cast<const T*>(args.down) + neurons[i] * args.hidden + first;
      for (int64_t j = 0; j < columns; j += kLanes) {
        const Vec part = columns - j < kLanes ? LoadPart(from + j, columns - j) : Load(from + j);
        Store(packed + (j / kPanel * kDownBlock + i) * kPanel + j % kPanel, part);
      }
      // The columns of the last panel that do not exist.
      for (int64_t j = RoundUp(columns, kLanes); j < RoundUp(columns, kPanel); j += kLanes) {
        Store(packed + (j / kPanel * kDownBlock + i) * kPanel + j % kPanel, Zero());
      }
    }
  }

  // sums[kTokenTile][kPanel] += h^T . packed; meanwhile fetches one line of each down row of the block after.
  void Tile(const float* packed /* [count][kPanel] */, const float* coefficients /* [intermediate][padded] */,
            const int32_t* neurons /* [count + next_count] */, int64_t count, bool start,
            float* to /* [kTokenTile][width] */, const T* fetched /* [intermediate][hidden] */,
            int64_t next_count) const {
    Vec sum[kTokenTile][kColumnTile];
#pragma GCC unroll 8
    for (int t = 0; t < kTokenTile; ++t) {
#pragma GCC unroll 8
      for (int v = 0; v < kColumnTile; ++v) sum[t][v] = start ? Zero() : Load(to + t * width + v * kLanes);
    }
    for (int64_t i = 0; i < count; ++i) {
      if (i < next_count) PrefetchL2(fetched + neurons[count + i] * args.hidden);
      const float* factors = coefficients + neurons[i] * padded;
      Vec weights[kColumnTile];
#pragma GCC unroll 8
      for (int v = 0; v < kColumnTile; ++v) weights[v] = Load(packed + i * kPanel + v * kLanes);
#pragma GCC unroll 8
      for (int t = 0; t < kTokenTile; ++t) {
        const Vec factor = InRegister(Broadcast(factors[t]));
#pragma GCC unroll 8
        for (int v = 0; v < kColumnTile; ++v) sum[t][v] = Fma(factor, weights[v], sum[t][v]);
      }
    }
#pragma GCC unroll 8
    for (int t = 0; t < kTokenTile; ++t) {
#pragma GCC unroll 8
      for (int v = 0; v < kColumnTile; ++v) Store(to + t * width + v * kLanes, sum[t][v]);
    }
  }

  void Finish(int64_t first, int64_t columns) const {
    const auto* bias = static_cast<const T*>(args.down_bias);
    for (int64_t r = 0; r < rows; ++r) {
      float* from = sums + r * width + first;
      T* y = static_cast<T*>(args.y) + r * args.hidden + first;
      if (bias != nullptr) {
        for (int64_t j = 0; j < columns; ++j) from[j] += T::ToFloat(bias[first + j]);
      }
      for (int64_t j = 0; j < columns; ++j) y[j] = T::FromFloat(from[j]);
    }
  }
};

}  // namespace CATS_SIMD
}  // namespace cats
