// SPDX-License-Identifier: MIT
// The first half of the gated MLP, for any number of rows: a task takes kNeuronsPerPass neurons, computes
// their gate for every row, decides, and computes up for those neurons that some row keeps. Included inside
// a target region, in the namespace CATS_SIMD, after dot.h.
#pragma once

namespace cats {
namespace CATS_SIMD {

constexpr int64_t kMaxRows = 256;  // rows of one block; more rows run block after block

// Rows as the tiles want them: 1, 2, 4, or a multiple of kTokenTile. The rows added are 0 and never kept.
constexpr int64_t PaddedRows(int64_t rows) {
  return rows <= 2 ? rows : rows <= 4 ? 4 : RoundUp(rows, kTokenTile);
}
constexpr int64_t GroupRows(int64_t padded) { return std::min<int64_t>(padded, kTokenTile); }

template <class T>
struct Neurons {
  const GatedMlpArgs& args;
  int64_t rows;     // of this block, 1 .. kMaxRows
  int64_t padded;   // PaddedRows(rows)
  float* x;         // packs of GroupRows(padded) rows (dot.h), together [padded][hidden rounded up to kLanes]
  float* h;         // [intermediate][padded]: g, then a, then h, +0 where not kept; undefined if kept is 0
  float* u;         // [intermediate][padded]: x . up of the neurons that some row keeps
  uint32_t* kept;   // [intermediate]: bit r % 32 is set if row r keeps the neuron
  uint8_t* counts;  // [Tasks()][padded]: how many neurons of the task each row keeps

  int64_t Tasks() const { return PiecesOf(args.intermediate, kNeuronsPerPass); }

  int64_t Groups() const { return padded / GroupRows(padded); }

  static void PackTask(void* self, int64_t group) { static_cast<const Neurons*>(self)->Pack(group); }

  void Pack(int64_t group) const {
    const int64_t first = group * GroupRows(padded);
    const T* from = static_cast<const T*>(args.x) + first * args.hidden;
    float* to = x + first * RoundUp(args.hidden, kLanes);
    switch (padded) {
      case 1:
        return PackTokens<1>(from, rows - first, args.hidden, to);
      case 2:
        return PackTokens<2>(from, rows - first, args.hidden, to);
      case 4:
        return PackTokens<4>(from, rows - first, args.hidden, to);
      default:
        return PackTokens<kTokenTile>(from, rows - first, args.hidden, to);
    }
  }

  static void Task(void* self, int64_t task) { static_cast<const Neurons*>(self)->Run(task); }

  void Run(int64_t task) const {
    const int64_t first = task * kNeuronsPerPass;
    const int64_t count = std::min(kNeuronsPerPass, args.intermediate - first);
    const T* weights[kNeuronsPerPass];
    const T* following[kNeuronsPerPass];  // the next task's gate rows: most often this thread takes it
    for (int64_t i = 0; i < count; ++i) weights[i] = Row(args.gate, first + i);
    const int64_t after = std::min(kNeuronsPerPass, args.intermediate - first - count);
    for (int64_t i = 0; i < after; ++i) following[i] = Row(args.gate, first + count + i);

    Dots(weights, count, nullptr, 0, h + first * padded);
    Decide(task, first, count);
    int64_t active = 0;
    for (int64_t i = 0; i < count; ++i) {
      if (kept[first + i] != 0) weights[active++] = Row(args.up, first + i);
    }
    if (active == 0) return;
    Dots(weights, active, following, after, u + first * padded);
    const float* values = u + first * padded;
    for (int64_t i = 0; i < count; ++i) {
      if (kept[first + i] == 0) continue;
      Combine(first + i, values);
      values += padded;
    }
  }

 private:
  const T* Row(const void* weights, int64_t neuron) const {
    return static_cast<const T*>(weights) + neuron * args.hidden;
  }

  void Dots(const T* const* w, int64_t count, const T* const* next, int64_t next_count, float* out) const {
    switch (padded) {
      case 1:
        return Passes<1>(w, count, next, next_count, out);
      case 2:
        return Passes<2>(w, count, next, next_count, out);
      case 4:
        return Passes<4>(w, count, next, next_count, out);
      default:
        return Passes<kTokenTile>(w, count, next, next_count, out);
    }
  }

  // One or two rows read long pieces of few weight rows (x stays in the L1 cache whole); more rows read
  // kDotBlock of all of them, so that a block of x is used kNeuronsPerPass times.
  template <int kTokens>
  void Passes(const T* const* w, int64_t count, const T* const* next, int64_t next_count, float* out) const {
    const int64_t pass = kTokens <= 2 ? NeuronTile(kTokens) : kNeuronsPerPass;
    for (int64_t n = 0; n < count; n += pass) {
      const int64_t neurons = std::min(pass, count - n);
      const bool last = n + pass >= count;
      DotPass<kTokens>(w + n, neurons, x, Groups(), args.hidden, last ? next : w + n + pass,
                       last ? next_count : count - n - pass, out + n * padded, padded);
    }
  }

  // p of decision.h for each row; the rows added to fill a tile are never kept.
  void Thresholds(int64_t neuron, uint32_t* bits /* [padded] */) const {
    const float threshold = args.threshold[args.threshold_per_neuron ? neuron : 0];
    if (args.scale_per_row && args.threshold_scale != nullptr) {
      for (int64_t r = 0; r < rows; ++r) bits[r] = ThresholdBits(threshold, args.threshold_scale[r]);
    } else {
      const float scale = args.threshold_scale == nullptr ? 1.0f : args.threshold_scale[0];
      const uint32_t same = ThresholdBits(threshold, scale);
      for (int64_t r = 0; r < rows; ++r) bits[r] = same;
    }
    for (int64_t r = rows; r < padded; ++r) bits[r] = 0xffffffffu;
  }

  // g -> a in h, and kept and counts.
  void Decide(int64_t task, int64_t first, int64_t count) const {
    const auto* bias = static_cast<const T*>(args.gate_bias);
    float* g = h + first * padded;  // [count][padded]
    if (bias != nullptr) {
      for (int64_t i = 0; i < count; ++i) {
        const float add = T::ToFloat(bias[first + i]);
        for (int64_t r = 0; r < padded; ++r) g[i * padded + r] += add;
      }
    }
    for (int64_t i = 0; i < count * padded; ++i) g[i] = T::ToFloat(T::FromFloat(g[i]));
    for (int64_t i = 0; i < count * padded; ++i) g[i] = T::ToFloat(T::FromFloat(Silu(g[i])));
    uint8_t* counted = counts + task * padded;
    for (int64_t r = 0; r < padded; ++r) counted[r] = 0;
    uint32_t bits[kMaxRows];
    for (int64_t i = 0; i < count; ++i) {
      Thresholds(first + i, bits);
      uint32_t mask = 0;
      for (int64_t r = 0; r < padded; ++r) {
        const uint32_t keep = IsKept(g[i * padded + r], bits[r]) ? 1u : 0u;
        counted[r] = static_cast<uint8_t>(counted[r] + keep);
        mask |= keep << (r & 31);
      }
      kept[first + i] = mask;
    }
  }

  // a -> h = a * (x . up + bias), +0 where the row does not keep the neuron.
  void Combine(int64_t neuron, const float* values /* [padded] */) const {
    const auto* bias = static_cast<const T*>(args.up_bias);
    const float add = bias == nullptr ? 0.0f : T::ToFloat(bias[neuron]);
    float* to = h + neuron * padded;
    uint32_t bits[kMaxRows];
    Thresholds(neuron, bits);
    for (int64_t r = 0; r < padded; ++r) {
      const float up = bias == nullptr ? values[r] : values[r] + add;
      to[r] = IsKept(to[r], bits[r]) ? to[r] * up : 0.0f;
    }
  }
};

}  // namespace CATS_SIMD
}  // namespace cats
