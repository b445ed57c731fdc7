// SPDX-License-Identifier: MIT
// Prefill, bound by arithmetic: after neurons.h, a task takes some columns of y and walks the down rows in
// blocks (those of a task of neurons.h), widened and packed once per block. A group of rows that keeps most
// of a block's neurons runs as a tile; else each row adds the neurons that it keeps itself. Both add in
// ascending order of neurons, and a neuron that is not kept would add +0, so both have the same bits.
// Included inside a target region, in the namespace CATS_SIMD.
#pragma once

namespace cats {
namespace CATS_SIMD {

constexpr int64_t kPanel = kColumnTile * kLanes;  // columns of a tile
constexpr int64_t kMaxPanels = 12;                // panels of a task

// Panels of a task. Few wide tasks: each visits every row of down, on a 4 KiB page of its own. Yet some for
// each thread, and as many for one as for the other.
inline int64_t PanelsOf(int64_t hidden, int64_t threads) {
  const int64_t panels = PiecesOf(hidden, kPanel);
  const int64_t tasks = std::max(PiecesOf(panels, kMaxPanels), std::min(panels, 4 * threads));
  return PiecesOf(panels, RoundUp(tasks, threads));
}

template <class T>
struct ManyRowsDown {
  const GatedMlpArgs& args;
  int64_t rows;
  int64_t padded;             // a multiple of kTokenTile
  int64_t panels;             // of a task
  const Neurons<T>& neurons;  // has run
  float* sums;                // [hidden rounded up to kPanel, in panels][padded][kPanel]

  static void Task(void* self, int64_t task) { static_cast<const ManyRowsDown*>(self)->Run(task); }
  int64_t Tasks() const { return PiecesOf(args.hidden, panels * kPanel); }

  void Run(int64_t task) const {
    const int64_t first = task * panels * kPanel;
    const int64_t columns = std::min(panels * kPanel, args.hidden - first);
    const int64_t used = PiecesOf(columns, kPanel);
    float* to = sums + first * padded;
    bool start = true;
    for (int64_t block = NextBlock(0); block < neurons.Tasks();) {
      const int64_t next = NextBlock(block + 1);
      AddBlock(block, next, first, columns, start, to);
      block = next;
      start = false;
    }
    if (start) std::memset(to, 0, static_cast<size_t>(used * padded * kPanel) * sizeof(float));
    Finish(first, columns, to);
  }

 private:
  // What is fetched meanwhile: lines of the next block's down rows, one with every neuron that is added,
  // because many at once would hold up the loads behind them.
  class Ahead {
   public:
    Ahead(const T* from /* down, from the first column on */, const int32_t* list /* [count] */,
          int64_t count, int64_t lines /* of a row */, int64_t hidden)
        : from_(from), list_(list), end_(list + count), lines_(lines), hidden_(hidden), left_(lines * count) {
      if (count > 0) at_ = from + *list * hidden;
    }
    int64_t left() const { return left_; }
    void FetchLine() {
      PrefetchL2(at_);
      at_ += kCacheLine / static_cast<int64_t>(sizeof(T));
      --left_;
      if (++line_ < lines_) return;
      line_ = 0;
      if (++list_ < end_) at_ = from_ + *list_ * hidden_;
    }

   private:
    const T* from_;
    const int32_t* list_;
    const int32_t* end_;
    int64_t lines_;
    int64_t hidden_;
    int64_t left_;
    int64_t line_ = 0;
    const T* at_ = nullptr;
  };

  const int32_t* List(int64_t block) const { return neurons.list + block * kNeuronsPerPass; }
  int64_t Listed(int64_t block) const { return block < neurons.Tasks() ? neurons.listed[block] : 0; }
  int64_t NextBlock(int64_t block) const {
    while (block < neurons.Tasks() && neurons.listed[block] == 0) ++block;
    return block;
  }

  void AddBlock(int64_t block, int64_t next, int64_t first, int64_t columns, bool start, float* to) const {
    const int64_t count = Listed(block);
    alignas(64) float packed[kMaxPanels * kNeuronsPerPass * kPanel];  // [used][kNeuronsPerPass][kPanel]
    Pack(List(block), count, first, columns, packed);
    // The rows that run alone, and groups that run as tiles.
    const uint8_t* kept = neurons.counts + block * padded;
    bool alone[kMaxRows / kTokenTile];
    for (int64_t r = 0; r < padded; r += kTokenTile) {
      int64_t pairs = 0;
      for (int64_t t = 0; t < kTokenTile; ++t) pairs += kept[r + t];
      alone[r / kTokenTile] = IsWorthSkipping(pairs, count * kTokenTile);
    }
    const int64_t used = PiecesOf(columns, kPanel);
    for (int64_t panel = 0; panel < used;) {
      // kRowPanels at once; one more rather than one alone, which could not hide the latency of FMA.
      const int64_t left = used - panel;
      const int64_t width = left == kRowPanels + 1 ? left : std::min<int64_t>(left, kRowPanels);
      const int64_t lines = PiecesOf(width * kPanel * static_cast<int64_t>(sizeof(T)), kCacheLine);
      Ahead ahead(static_cast<const T*>(args.down) + first + panel * kPanel, List(next), Listed(next), lines,
                  args.hidden);
      const int64_t share = PiecesOf(ahead.left(), padded);  // with one row
      const float* weights = packed + panel * kNeuronsPerPass * kPanel;
      float* sum = to + panel * padded * kPanel;
      for (int64_t p = 0; p < width; ++p) {
        for (int64_t r = 0; r < padded; r += kTokenTile) {
          if (alone[r / kTokenTile]) continue;
          Tile(weights + p * kNeuronsPerPass * kPanel, neurons.h + r, List(block), count, start,
               sum + (p * padded + r) * kPanel, ahead, PiecesOf(share * kTokenTile, width));
        }
      }
      for (int64_t r = 0; r < rows; ++r) {
        if (!alone[r / kTokenTile]) continue;
        const int64_t own = (block * padded + r) * kNeuronsPerPass;
        const OwnNeurons mine{neurons.u + own, neurons.slots + own, kept[r]};
        Row<kRowPanels + 1>(width, weights, mine, start, sum + r * kPanel, ahead, share);
      }
      panel += width;
    }
  }

  void Pack(const int32_t* list, int64_t count, int64_t first, int64_t columns, float* packed) const {
    for (int64_t i = 0; i < count; ++i) {
      const T* from = static_cast<const T*>(args.down) + list[i] * args.hidden + first;
      for (int64_t j = 0; j < columns; j += kLanes) {
        const Vec part = columns - j < kLanes ? LoadPart(from + j, columns - j) : Load(from + j);
        Store(packed + (j / kPanel * kNeuronsPerPass + i) * kPanel + j % kPanel, part);
      }
      // The columns of the last panel that do not exist.
      for (int64_t j = RoundUp(columns, kLanes); j < RoundUp(columns, kPanel); j += kLanes) {
        Store(packed + (j / kPanel * kNeuronsPerPass + i) * kPanel + j % kPanel, Zero());
      }
    }
  }

  // sums[kTokenTile][kPanel] += h^T . packed.
  void Tile(const float* packed /* [count][kPanel] */, const float* coefficients /* [intermediate][padded] */,
            const int32_t* list /* [count] */, int64_t count, bool start,
            float* to /* [kTokenTile][kPanel] */, Ahead& ahead, int64_t fetches) const {
    fetches = std::min(fetches, ahead.left());
    Vec sum[kTokenTile][kColumnTile];
#pragma GCC unroll 8
    for (int t = 0; t < kTokenTile; ++t) {
#pragma GCC unroll 8
      for (int v = 0; v < kColumnTile; ++v) sum[t][v] = start ? Zero() : Load(to + t * kPanel + v * kLanes);
    }
    for (int64_t i = 0; i < count; ++i) {
      if (fetches-- > 0) ahead.FetchLine();
      const float* factors = coefficients + list[i] * padded;
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
      for (int v = 0; v < kColumnTile; ++v) Store(to + t * kPanel + v * kLanes, sum[t][v]);
    }
  }

  // The neurons of a block that one row keeps.
  struct OwnNeurons {
    const float* h;        // [count]
    const uint8_t* slots;  // [count]: which of the packed rows
    int64_t count;
  };

  // One row: sums[width][.][kPanel] += h . the packed rows that it keeps; width is at most kPanels.
  template <int kPanels>
  void Row(int64_t width, const float* packed /* [width][kNeuronsPerPass][kPanel] */, const OwnNeurons& own,
           bool start, float* to, Ahead& ahead, int64_t fetches) const {
    if constexpr (kPanels > 1) {
      if (width < kPanels) return Row<kPanels - 1>(width, packed, own, start, to, ahead, fetches);
    }
    fetches = std::min(fetches, ahead.left());
    constexpr int kVectors = kPanels * kColumnTile;
    Vec sum[kVectors];
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      sum[v] = start ? Zero() : Load(to + v / kColumnTile * padded * kPanel + v % kColumnTile * kLanes);
    }
    for (int64_t i = 0; i < own.count; ++i) {
      if (fetches-- > 0) ahead.FetchLine();
      const Vec factor = InRegister(Broadcast(own.h[i]));
      const float* weights = packed + own.slots[i] * kPanel;
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        sum[v] =
            Fma(factor, Load(weights + v / kColumnTile * kNeuronsPerPass * kPanel + v % kColumnTile * kLanes),
                sum[v]);
      }
    }
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      Store(to + v / kColumnTile * padded * kPanel + v % kColumnTile * kLanes, sum[v]);
    }
  }

  void Finish(int64_t first, int64_t columns, float* from /* [panels][padded][kPanel] */) const {
    const auto* bias = static_cast<const T*>(args.down_bias);
    for (int64_t r = 0; r < rows; ++r) {
      T* y = static_cast<T*>(args.y) + r * args.hidden + first;
      for (int64_t j = 0; j < columns; j += kPanel) {
        float* sum = from + (j / kPanel * padded + r) * kPanel;
        const int64_t count = std::min(kPanel, columns - j);
        if (bias != nullptr) {
          for (int64_t k = 0; k < count; ++k) sum[k] += T::ToFloat(bias[first + j + k]);
        }
        for (int64_t k = 0; k < count; ++k) y[j + k] = T::FromFloat(sum[k]);
      }
    }
  }
};

}  // namespace CATS_SIMD
}  // namespace cats
