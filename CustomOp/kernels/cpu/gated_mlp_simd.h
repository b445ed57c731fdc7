// SPDX-License-Identifier: MIT
// The gated MLP over a vector type: rows in blocks, scratch laid out, neurons.h, then the down projection
// of few_rows.h or many_rows.h. Included inside a target region, in the namespace CATS_SIMD.
#pragma once

namespace cats {
namespace CATS_SIMD {

// Hands out pieces of the scratch, each on its own cache line; with a null base it only adds up.
class Arena {
 public:
  explicit Arena(void* base) : base_(static_cast<unsigned char*>(base)) {}
  template <class S>
  S* Take(int64_t count) {
    unsigned char* at = base_ == nullptr ? nullptr : base_ + used_;
    used_ += static_cast<size_t>(RoundUp(count * static_cast<int64_t>(sizeof(S)), kCacheLine));
    return reinterpret_cast<S*>(at);
  }
  size_t used() const { return used_; }

 private:
  unsigned char* base_;
  size_t used_ = 0;
};

struct Scratch {
  // As in Neurons.
  float* x;         // [padded][hidden rounded up to kLanes]
  float* h;         // [intermediate][padded]
  float* u;         // [tasks][padded][kNeuronsPerPass]
  uint8_t* kept;    // [intermediate][GroupsOf(padded)]
  int32_t* list;    // [tasks][kNeuronsPerPass]
  int32_t* listed;  // [tasks]
  uint8_t* counts;  // [tasks][padded]
  uint8_t* slots;   // few rows: null; many: [tasks][padded][kNeuronsPerPass]
  float* sums;      // few rows: [shares][rows][hidden]; many: [padded][hidden rounded up to kPanel]

  template <class T, bool kMany>
  static Scratch Of(Arena& arena, int64_t rows, int64_t hidden, int64_t intermediate) {
    const int64_t padded = kMany ? RoundUp(rows, kTokenTile) : PaddedRows(rows);
    const int64_t tasks = PiecesOf(intermediate, kNeuronsPerPass);
    Scratch s;
    s.x = arena.Take<float>(padded * RoundUp(hidden, kLanes));
    s.h = arena.Take<float>(intermediate * padded);
    s.u = arena.Take<float>(tasks * padded * kNeuronsPerPass);
    s.kept = arena.Take<uint8_t>(intermediate * GroupsOf(padded));
    s.list = arena.Take<int32_t>(tasks * kNeuronsPerPass);
    s.listed = arena.Take<int32_t>(tasks);
    s.counts = arena.Take<uint8_t>(tasks * padded);
    s.slots = kMany ? arena.Take<uint8_t>(tasks * padded * kNeuronsPerPass) : nullptr;
    s.sums = arena.Take<float>(kMany ? padded * RoundUp(hidden, kPanel)
                                     : SharesOf(hidden, intermediate) * rows * hidden);
    return s;
  }
};

template <bool kMany>
constexpr int64_t kBlockRows = kMany ? kMaxRows : kFewRows;

template <class T, bool kMany>
size_t ScratchBytes(int64_t rows, int64_t hidden, int64_t intermediate) noexcept {
  Arena arena(nullptr);
  Scratch::Of<T, kMany>(arena, std::min(rows, kBlockRows<kMany>), hidden, intermediate);
  return arena.used();
}

template <class T, bool kMany>
bool RunBlock(const GatedMlpArgs& args, const ParallelFor& parallel_for) noexcept {
  const int64_t rows = args.rows;
  const int64_t padded = kMany ? RoundUp(rows, kTokenTile) : PaddedRows(rows);
  Arena arena(args.scratch);
  const Scratch scratch = Scratch::Of<T, kMany>(arena, rows, args.hidden, args.intermediate);

  Neurons<T> neurons{args,         rows,         padded,         scratch.x,      scratch.h,    scratch.u,
                     scratch.kept, scratch.list, scratch.listed, scratch.counts, scratch.slots};
  if (neurons.Groups() <= 2) {
    for (int64_t group = 0; group < neurons.Groups(); ++group) neurons.Pack(group);
  } else if (!parallel_for(neurons.Groups(), Neurons<T>::PackTask, &neurons)) {
    return false;
  }
  const int64_t tasks = neurons.Tasks();
  if (tasks > 0 && !parallel_for(tasks, Neurons<T>::Task, &neurons)) return false;
  if (args.active != nullptr) {
    for (int64_t r = 0; r < rows; ++r) {
      int32_t count = 0;
      for (int64_t task = 0; task < tasks; ++task) count += scratch.counts[task * padded + r];
      args.active[r] = count;
    }
  }
  if (args.hidden == 0) return true;
  if constexpr (kMany) {
    static const int64_t processors = std::max<int64_t>(std::thread::hardware_concurrency(), 1);
    const int64_t threads = parallel_for.threads > 0 ? parallel_for.threads : processors;
    const int64_t panels = PanelsOf(args.hidden, threads);
    ManyRowsDown<T> down{args, rows, padded, panels, neurons, scratch.sums};
    return parallel_for(down.Tasks(), ManyRowsDown<T>::Task, &down);
  } else {
    // The tasks' lists become one.
    int64_t listed = 0;
    for (int64_t task = 0; task < tasks; ++task) {
      for (int64_t i = 0; i < scratch.listed[task]; ++i) {
        scratch.list[listed++] = scratch.list[task * kNeuronsPerPass + i];
      }
    }
    const int64_t shares = SharesOf(args.hidden, args.intermediate);
    FewRowsDown<T> down{args,         rows,   padded, scratch.h,   scratch.kept,
                        scratch.list, listed, shares, scratch.sums};
    return parallel_for(shares, FewRowsDown<T>::Task, &down) &&
           parallel_for(down.SumTasks(), FewRowsDown<T>::SumTask, &down);
  }
}

template <class T, bool kMany>
bool Run(const GatedMlpArgs& args, const ParallelFor& parallel_for) noexcept {
  for (int64_t row = 0; row < args.rows; row += kBlockRows<kMany>) {
    GatedMlpArgs block = args;
    block.rows = std::min(kBlockRows<kMany>, args.rows - row);
    block.x = static_cast<const T*>(args.x) + row * args.hidden;
    block.y = static_cast<T*>(args.y) + row * args.hidden;
    if (args.active != nullptr) block.active = args.active + row;
    if (args.threshold_scale != nullptr && args.scale_per_row)
      block.threshold_scale = args.threshold_scale + row;
    if (!RunBlock<T, kMany>(block, parallel_for)) return false;
  }
  return true;
}

template <class T>
constexpr GatedMlpKernels kKernels = {{ScratchBytes<T, false>, Run<T, false>},
                                      {ScratchBytes<T, true>, Run<T, true>},
                                      [](int64_t, int64_t) noexcept -> int64_t { return kManyRowsFrom; }};

inline const GatedMlpKernels* KernelsOf(DType dtype) noexcept {
  switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return &kKernels<type>;
#include "formats/formats.def"
#undef CATS_FORMAT
  }
  return nullptr;
}

}  // namespace CATS_SIMD
}  // namespace cats
