// SPDX-License-Identifier: MIT
// Decode and small batches, bound by memory: after neurons.h, a task streams a fixed share of the down rows
// that some row keeps and adds them to its own partial y, each row from its own active neurons only; then
// the partials are added in order. Included inside a target region, in the namespace CATS_SIMD.
#pragma once

namespace cats {
namespace CATS_SIMD {

constexpr int64_t kFewRows = 16;       // rows of one block
constexpr int64_t kGroup = 8;          // down rows that are read side by side
constexpr int64_t kColumnVectors = 8;  // accumulators: columns of y held at once
constexpr int64_t kSumColumns = 512;   // columns of one task of the last step

// The number of partials depends on the sizes alone; its memory stays below 48 bytes per neuron and row.
inline int64_t SharesOf(int64_t hidden, int64_t intermediate) {
  return std::clamp<int64_t>(12 * intermediate / std::max<int64_t>(hidden, 1), 1, 32);
}

template <class T>
struct FewRowsDown {
  const GatedMlpArgs& args;
  int64_t rows;         // 1 .. kFewRows
  int64_t padded;       // PaddedRows(rows)
  const float* h;       // [intermediate][padded]
  const uint8_t* kept;  // [intermediate][GroupsOf(padded)]: bit t of g: row g * GroupRows + t keeps it
  const int32_t* list;  // [listed]: the neurons that some row keeps, ascending
  int64_t listed;
  int64_t shares;
  float* partial;  // [shares][rows][hidden]

  static void Task(void* self, int64_t task) { static_cast<const FewRowsDown*>(self)->Run(task); }
  static void SumTask(void* self, int64_t task) { static_cast<const FewRowsDown*>(self)->Sum(task); }
  int64_t SumTasks() const { return rows * PiecesOf(args.hidden, kSumColumns); }

  void Run(int64_t share) const {
    const int64_t first = listed * share / shares;
    const int64_t last = listed * (share + 1) / shares;
    float* y = partial + share * rows * args.hidden;
    if (first == last) std::memset(y, 0, static_cast<size_t>(rows * args.hidden) * sizeof(float));
    for (int64_t i = first; i < last; i += kGroup) {
      AddGroup(list + i, std::min(kGroup, last - i), std::min(kGroup, last - std::min(i + kGroup, last)),
               i == first, y);
    }
  }

 private:
  const T* Row(int32_t neuron) const { return static_cast<const T*>(args.down) + neuron * args.hidden; }

  bool IsKeptBy(int64_t neuron, int64_t row) const {
    const int64_t group = GroupRows(padded);
    return (kept[neuron * GroupsOf(padded) + row / group] >> (row % group) & 1) != 0;
  }

  // y += the rows of a group; `next_count` neurons behind them in the list come after it.
  void AddGroup(const int32_t* neurons, int64_t count, int64_t next_count, bool start, float* y) const {
    const T* weights[2 * kGroup];
    for (int64_t i = 0; i < count + next_count; ++i) weights[i] = Row(neurons[i]);
    int32_t entries[kFewRows];        // how many of the group each row keeps
    const T* from[kFewRows][kGroup];  // their down rows
    float factors[kFewRows][kGroup];  // and h
    for (int64_t r = 0; r < rows; ++r) {
      entries[r] = 0;
      for (int64_t i = 0; i < count; ++i) {
        if (!IsKeptBy(neurons[i], r)) continue;
        from[r][entries[r]] = weights[i];
        factors[r][entries[r]++] = h[neurons[i] * padded + r];
      }
    }
    constexpr int64_t kColumns = kColumnVectors * kLanes;
    constexpr int64_t kLine = kCacheLine / static_cast<int64_t>(sizeof(T));
    int64_t j = 0;
    for (; j + kColumns <= args.hidden; j += kColumns) {
      // The same columns 2 blocks on, or the start of the group that follows.
      int64_t ahead = j + 2 * kColumns;
      const T* const* fetched = weights;
      int64_t fetch_count = count;
      if (ahead >= args.hidden) {
        ahead = std::min(ahead - args.hidden, kColumns);
        fetched = weights + count;
        fetch_count = next_count;
      }
      for (int64_t i = 0; i < fetch_count; ++i) {
        for (int64_t k = 0; k < kColumns; k += kLine) PrefetchL2(fetched[i] + ahead + k);
      }
      for (int64_t r = 0; r < rows; ++r) {
        AddColumns(from[r], factors[r], entries[r], j, start, y + r * args.hidden);
      }
    }
    for (; j < args.hidden; j += kLanes) {
      const int64_t left = std::min(kLanes, args.hidden - j);
      for (int64_t r = 0; r < rows; ++r) {
        float* to = y + r * args.hidden + j;
        Vec sum = start ? Zero() : LoadPartOrAll(to, left);
        for (int32_t e = 0; e < entries[r]; ++e) {
          sum = Fma(Broadcast(factors[r][e]), LoadPartOrAll(from[r][e] + j, left), sum);
        }
        if (left < kLanes) {
          StorePart(to, sum, left);
        } else {
          Store(to, sum);
        }
      }
    }
  }

  template <class S>
  static Vec LoadPartOrAll(const S* p, int64_t count) {
    return count < kLanes ? LoadPart(p, count) : Load(p);
  }

  static void AddColumns(const T* const* from, const float* factors, int32_t entries, int64_t j, bool start,
                         float* y) {
    Vec sum[kColumnVectors];
#pragma GCC unroll 8
    for (int64_t v = 0; v < kColumnVectors; ++v) sum[v] = start ? Zero() : Load(y + j + v * kLanes);
    for (int32_t e = 0; e < entries; ++e) {
      const Vec factor = Broadcast(factors[e]);
      const T* weights = from[e] + j;
#pragma GCC unroll 8
      for (int64_t v = 0; v < kColumnVectors; ++v) sum[v] = Fma(factor, Load(weights + v * kLanes), sum[v]);
    }
#pragma GCC unroll 8
    for (int64_t v = 0; v < kColumnVectors; ++v) Store(y + j + v * kLanes, sum[v]);
  }

  void Sum(int64_t task) const {
    const int64_t pieces = PiecesOf(args.hidden, kSumColumns);
    const int64_t row = task / pieces;
    const int64_t first = task % pieces * kSumColumns;
    const int64_t count = std::min(kSumColumns, args.hidden - first);
    float sums[kSumColumns];
    for (int64_t j = 0; j < count; ++j) sums[j] = 0.0f;
    for (int64_t share = 0; share < shares; ++share) {
      const float* from = partial + (share * rows + row) * args.hidden + first;
      for (int64_t j = 0; j < count; ++j) sums[j] += from[j];
    }
    T* y = static_cast<T*>(args.y) + row * args.hidden + first;
    const auto* bias = static_cast<const T*>(args.down_bias);
    if (bias != nullptr) {
      for (int64_t j = 0; j < count; ++j) sums[j] += T::ToFloat(bias[first + j]);
    }
    for (int64_t j = 0; j < count; ++j) y[j] = T::FromFloat(sums[j]);
  }
};

}  // namespace CATS_SIMD
}  // namespace cats
