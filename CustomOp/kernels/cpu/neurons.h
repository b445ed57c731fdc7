// SPDX-License-Identifier: MIT
// The first half of the gated MLP, for any number of rows: a task takes kNeuronsPerPass neurons, computes
// their gate for every row, decides, and computes up for those neurons that some row keeps. Included inside
// a target region, in the namespace CATS_SIMD, after dot.h.
#pragma once

namespace cats {
namespace CATS_SIMD {

// Rows as the tiles want them: 1, 2, 4, or a multiple of kTokenTile. The rows added are 0 and never kept.
constexpr int64_t PaddedRows(int64_t rows) {
  return rows <= 2 ? rows : rows <= 4 ? 4 : RoundUp(rows, kTokenTile);
}
constexpr int64_t GroupRows(int64_t padded) { return std::min<int64_t>(padded, kTokenTile); }
constexpr int64_t GroupsOf(int64_t padded) { return PiecesOf(padded, kTokenTile); }

template <class T>
struct Neurons {
  const GatedMlpArgs& args;
  int64_t rows;    // of this block, 1 .. kMaxRows
  int64_t padded;  // PaddedRows(rows)
  float* x;        // packs of GroupRows(padded) rows (dot.h), together [padded][hidden rounded up to kLanes]
  float* h;  // [intermediate][padded]: g, then a, then h, +0 where not kept; undefined if no row keeps it
  float* u;  // [Tasks()][padded][kNeuronsPerPass]: scratch, then for each row h of its own neurons
  uint8_t* kept;    // [intermediate][Groups()]: bit t of g is set if row g * GroupRows + t keeps the neuron
  int32_t* list;    // [Tasks()][kNeuronsPerPass]: the neurons that some row keeps, ascending
  int32_t* listed;  // [Tasks()]: how many these are
  uint8_t* counts;  // [Tasks()][padded]: how many neurons of the task each row keeps
  uint8_t* slots;  // [Tasks()][padded][kNeuronsPerPass]: where in the task's list these are; null: not wanted

  int64_t Tasks() const { return PiecesOf(args.intermediate, kNeuronsPerPass); }

  int64_t Groups() const { return GroupsOf(padded); }

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
    const T* following[kNeuronsPerPass];
    for (int64_t i = 0; i < count; ++i) weights[i] = Row(args.gate, first + i);
    // With many rows hardly a neuron falls away whole: its up row may be fetched before it is known.
    const bool all = Groups() > 1;
    for (int64_t i = 0; all && i < count; ++i) following[i] = Row(args.up, first + i);
    Dots({weights, count, following, all ? count : 0}, nullptr, h + first * padded);
    Decide(task, first, count);

    int32_t* neurons = list + first;
    const uint8_t* keepers[kNeuronsPerPass];  // the masks of the neurons in the list
    const int64_t active = listed[task];
    for (int64_t i = 0; i < active; ++i) {
      weights[i] = Row(args.up, neurons[i]);
      keepers[i] = kept + neurons[i] * Groups();
    }
    if (active == 0) return;
    // The next task's gate rows: most often this thread takes it.
    const int64_t after = std::min(kNeuronsPerPass, args.intermediate - first - count);
    for (int64_t i = 0; i < after; ++i) following[i] = Row(args.gate, first + count + i);
    float* values = u + first * padded;
    Dots({weights, active, following, after}, keepers, values);
    for (int64_t i = 0; i < active; ++i) Combine(neurons[i], values + i * padded);
    if (slots != nullptr) Compact(task, neurons, active);
  }

 private:
  const T* Row(const void* weights, int64_t neuron) const {
    return static_cast<const T*>(weights) + neuron * args.hidden;
  }

  void Dots(const WeightRows<T>& w, const uint8_t* const* keepers,
            float* out /* [w.neurons][padded] */) const {
    switch (padded) {
      case 1:
        return Passes<1>(w, out);
      case 2:
        return Passes<2>(w, out);
      case 4:
        return Passes<4>(w, out);
      default:
        if (kSkipsPairs && keepers != nullptr && Groups() > 1) {
          return DotPassKept(w, keepers, x, Groups(), args.hidden, out, padded);
        }
        return Passes<kTokenTile>(w, out);
    }
  }

  // One or two rows read long pieces of few weight rows (x stays in the L1 cache whole); more rows read
  // kDotBlock of all of them, so that a block of x is used kNeuronsPerPass times.
  template <int kTokens>
  void Passes(const WeightRows<T>& w, float* out) const {
    const int64_t pass = kTokens <= 2 ? NeuronTile(kTokens) : kNeuronsPerPass;
    for (int64_t n = 0; n < w.neurons; n += pass) {
      const int64_t neurons = std::min(pass, w.neurons - n);
      const bool last = n + pass >= w.neurons;
      const WeightRows<T> part{w.w + n, neurons, last ? w.next : w.w + n + pass,
                               last ? w.next_neurons : w.neurons - n - pass};
      DotPass<kTokens>(part, x, Groups(), args.hidden, out + n * padded, padded);
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

  // g -> a in h, and kept, list, listed and counts.
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
    int32_t active = 0;
    for (int64_t i = 0; i < count; ++i) {
      Thresholds(first + i, bits);
      const float* a = g + i * padded;
      uint8_t* masks = kept + (first + i) * Groups();
      uint32_t any = 0;
      for (int64_t r = 0; r < padded; r += GroupRows(padded)) {
        uint32_t mask = 0;
        for (int64_t t = 0; t < GroupRows(padded); ++t) {
          const uint32_t keep = IsKept(a[r + t], bits[r + t]) ? 1u : 0u;
          counted[r + t] = static_cast<uint8_t>(counted[r + t] + keep);
          mask |= keep << t;
        }
        *masks++ = static_cast<uint8_t>(mask);
        any |= mask;
      }
      list[first + active] = static_cast<int32_t>(first + i);
      active += any != 0 ? 1 : 0;
    }
    listed[task] = active;
  }

  // a -> h = a * (x . up + bias), +0 where the row does not keep the neuron; values only count where it does.
  void Combine(int64_t neuron, const float* values /* [padded] */) const {
    const auto* bias = static_cast<const T*>(args.up_bias);
    const float add = bias == nullptr ? 0.0f : T::ToFloat(bias[neuron]);
    float* to = h + neuron * padded;
    const uint8_t* masks = kept + neuron * Groups();
    for (int64_t r = 0; r < padded; r += GroupRows(padded)) {
      const uint32_t mask = *masks++;
      for (int64_t t = r; t < r + GroupRows(padded); ++t) {
        const float up = bias == nullptr ? values[t] : values[t] + add;
        to[t] = (mask >> (t - r) & 1u) != 0 ? to[t] * up : 0.0f;
      }
    }
  }

  // For each row h of the neurons that it keeps, side by side, into u, which is read by now.
  void Compact(int64_t task, const int32_t* neurons, int64_t active) const {
    float* values = u + task * kNeuronsPerPass * padded;
    uint8_t* places = slots + task * kNeuronsPerPass * padded;
    uint8_t filled[kMaxRows] = {};
    for (int64_t slot = 0; slot < active; ++slot) {
      const float* from = h + neurons[slot] * padded;
      const uint8_t* masks = kept + neurons[slot] * Groups();
      for (int64_t r = 0; r < padded; ++r) {
        // Written also where not kept: filled[r] <= slot, so it stays in the row's place and is overwritten.
        values[r * kNeuronsPerPass + filled[r]] = from[r];
        places[r * kNeuronsPerPass + filled[r]] = static_cast<uint8_t>(slot);
        filled[r] = static_cast<uint8_t>(filled[r] + (masks[r / kTokenTile] >> (r % kTokenTile) & 1u));
      }
    }
  }
};

}  // namespace CATS_SIMD
}  // namespace cats
