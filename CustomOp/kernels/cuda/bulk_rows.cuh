// SPDX-License-Identifier: MIT
// Up to 8 rows in one kernel whose weights come by bulk copies (sm_90, 16-bit formats): one block per
// multiprocessor, a fixed part of the neurons each. A task is the gate, up or down rows of 8 neurons. One
// warp fetches tasks into a ring, eight warps own an eighth of the columns each. Gate tasks first; another
// warp adds up the eight's parts, decides and lists what is kept, and lists of 8 become the up tasks. Then
// the down rows of the block's own neurons: the eight keep their columns' sums of all rows in registers, and
// the last kernel adds up the blocks'. One stream of copies runs through all three, so that decisions and h
// cost no time.
#pragma once
#include "kernels/cuda/bulk_rows_worker.cuh"

namespace cats::cuda {

// Fetches the tasks. A warp of its own: while more copies are asked for than memory takes, whoever asks
// waits.
template <int Hidden>
struct BulkProducer {
  using Size = BulkSize<Hidden>;

  const GatedMlpArgs& args;
  const BulkBlock& block;
  BulkRowsShared<Hidden>& s;
  const int lane;
  const uint64_t policy = EvictFirst();
  int issued = 0;

  // row: of the block, in the lanes of the `count` rows, or -1.
  __device__ void Fetch(const void* matrix, int row, int count, int pitch) {
    const int stage = issued % Size::kStages, round = issued / Size::kStages;
    if (round > 0) BarrierWait(&s.empty[stage], (round - 1) & 1);
    if (lane == 0) BarrierExpect(&s.full[stage], count * Size::kRowBytes);
    __syncwarp();
    if (row >= 0) {
      BulkCopy(s.ring[stage] + lane * pitch,
               static_cast<const unsigned char*>(matrix) + (block.first + row) * Size::kRowBytes,
               Size::kRowBytes, &s.full[stage], policy);
    }
    ++issued;
  }

  __device__ void Gate() {
    const int begin = issued * kTask, count = min(block.neurons - begin, kTask);
    Fetch(args.gate, lane < count ? begin + lane : -1, count, Size::kRowBytes);
  }

  // The first gate tasks are fetched already.
  __device__ void Run() {
    while (issued < block.gates) Gate();
    for (int begin = 0;; begin += kTask) {
      int found = 0;
      for (;;) {
        const bool complete = Load(s.complete) != 0;
        Fence();
        found = Load(s.found);
        if (complete || found >= begin + kTask) break;
        __nanosleep(20);
      }
      __syncwarp();
      Fence();
      const int count = min(__shfl_sync(kAll, found, 0) - begin, kTask);
      if (count <= 0) break;
      Fetch(args.up, lane < count ? s.found_neuron[begin + lane] : -1, count, Size::kRowBytes);
    }
    if (lane == 0) s.dots = issued;
    __syncwarp();
    int begin = 0;
    for (int task = 0; task < block.gates;) {
      const DownSpan span(s.any + task, block.gates - task, lane);
      if (span.count > 0)
        Fetch(args.down, lane < span.count ? s.found_neuron[begin + lane] : -1, span.count, Size::kDownBytes);
      begin += span.count, task += span.tasks;
    }
    if (begin == 0) Fetch(args.down, -1, 0, Size::kDownBytes);  // the workers wait for one
  }
};

// Lane 8m + r has row r of neurons m and m + 4 of a task. It waits for no access to global
// memory while rows stream: behind them one takes microseconds, and so does a fence behind a store.
template <class T, int Hidden>
struct BulkDecider {
  const GatedMlpArgs& args;
  const BulkBlock& block;
  BulkRowsShared<Hidden>& s;
  const int lane, count;  // rows of the group
  const int64_t first_row;
  int task = 0;

  __device__ void Take(float (&total)[2]) {
    const int slot = task % kPartSlots;
    BarrierWait(&s.filled[slot], (task / kPartSlots) & 1);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      total[half] = s.parts[slot][0][half * 32 + lane];
#pragma unroll
      for (int warp = 1; warp < kBulkWarps; ++warp) total[half] += s.parts[slot][warp][half * 32 + lane];
    }
    __syncwarp();
    if (lane == 0) BarrierArrive(&s.taken[slot]);
    ++task;
  }

  __device__ void Run() {
    const int m = lane / kRowGroup, r = lane % kRowGroup;
    const float scale = args.threshold_scale == nullptr || r >= count
                            ? 1.0f
                            : args.threshold_scale[args.scale_per_row ? first_row + r : 0];
    int found = 0;
    while (task < block.gates) {
      const int begin = task * kTask, of_task = task;
      uint32_t any_of_task = 0;
      float total[2];
      Take(total);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int n = begin + half * 4 + m;
        const float biased = args.gate_bias == nullptr ? total[half] : __fadd_rn(total[half], s.gate_bias[n]);
        const float a = Rounded(T{}, Silu(Rounded(T{}, biased)));
        const bool keeps = n < block.neurons && r < count && IsKept(a, ThresholdBits(s.threshold[n], scale));
        const uint32_t votes = __ballot_sync(kAll, keeps);
        const uint32_t rows = votes >> (m * kRowGroup) & 0xffu;
        const uint32_t any = (votes & 0xffu ? 1u : 0u) | (votes & 0xff00u ? 2u : 0u) |
                             (votes & 0xff0000u ? 4u : 0u) | (votes & 0xff000000u ? 8u : 0u);
        Store(s.cell[n][r], keeps ? __float_as_uint(a) : 0u);
        if (r == 0) {
          s.rows[n] = static_cast<uint8_t>(rows);
          if (rows != 0u) s.found_neuron[found + __popc(any & ((1u << m) - 1u))] = static_cast<uint16_t>(n);
        }
        found += __popc(any);
        any_of_task |= any << (half * 4);
      }
      if (lane == 0) s.any[of_task] = static_cast<uint8_t>(any_of_task);
      __syncwarp();
      Fence();
      if (lane == 0) Store(s.found, found);
    }
    __syncwarp();
    Fence();
    if (lane == 0) Store(s.complete, 1);
    for (int begin = 0; begin < found; begin += kTask) {
      int n[2];
      float total[2], a[2];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int entry = begin + half * 4 + m;
        n[half] = entry < found ? s.found_neuron[entry] : -1;
        a[half] = n[half] < 0 ? 0.0f : __uint_as_float(Load(s.cell[n[half]][r]));
      }
      Take(total);  // after it no lane reads an activation of this task
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        if (n[half] < 0) continue;
        const bool keeps = (s.rows[n[half]] >> r & 1u) != 0u;
        const float up = args.up_bias == nullptr ? total[half] : __fadd_rn(total[half], s.up_bias[n[half]]);
        uint16_t first = 0, second = 0;
        HTerms<T>::Split(keeps ? __fmul_rn(a[half], up) : 0.0f, first, second);
        auto* terms = reinterpret_cast<uint16_t*>(s.cell[n[half]]);
        Store(terms[r], first);
        Store(terms[kRowGroup + r], second);
      }
      __syncwarp();
      Fence();
      if (lane == 0) Store(s.h_ready, min(begin + kTask, found));
    }
  }
};

// What the warps behind the workers do. The numbers of the neurons are asked for before the weights.
template <class T, int Hidden>
__device__ void DecideAndFetch(const GatedMlpArgs& args, const RowGroup& group, const BulkBlock& block,
                               BulkRowsShared<Hidden>& s, int warp, int lane) {
  constexpr int kHelpers = 96;  // threads of these warps without the producer
  constexpr int kEach = (kMaxBulkNeurons + kHelpers - 1) / kHelpers;
  if (warp == kProducer) {
    if (lane == 0) s.dots = 1 << 30;
    if (lane < BulkSize<Hidden>::kStages) {
      BarrierInit(&s.full[lane]);
      BarrierInit(&s.empty[lane], kBulkWarps);
      BarrierInitFence();
    }
    __syncwarp();
    BulkProducer<Hidden> producer{args, block, s, lane};
    while (producer.issued < min(BulkSize<Hidden>::kStages, block.gates)) producer.Gate();
    __syncthreads();
    producer.Run();
    return;
  }
  const int thread = (warp > kProducer ? warp - 1 - kDecider : 0) * 32 + lane;
  float threshold[kEach], gate_bias[kEach], up_bias[kEach];
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    const int n = thread + k * kHelpers;
    const bool is = n < block.neurons;
    const int64_t i = block.first + n;
    const auto bias = [&](const void* of) {
      return of != nullptr && is ? T::ToFloat(static_cast<const T*>(of)[i]) : 0.0f;
    };
    threshold[k] = is ? args.threshold[args.threshold_per_neuron ? i : 0] : 0.0f;
    gate_bias[k] = bias(args.gate_bias);
    up_bias[k] = bias(args.up_bias);
  }
  if (warp == kDecider) {
    if (lane < kPartSlots) {
      BarrierInit(&s.filled[lane], kBulkWarps);
      BarrierInit(&s.taken[lane]);
      BarrierInitFence();
    }
    if (lane == 0) s.found = s.complete = s.h_ready = 0;
  }
  __syncthreads();
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    const int n = thread + k * kHelpers;
    if (n >= kMaxBulkNeurons) break;
    s.threshold[n] = threshold[k];
    s.gate_bias[n] = gate_bias[k];
    s.up_bias[n] = up_bias[k];
  }
  NamedBarrier<kHelpers>();
  if (warp != kDecider) return;
  BulkDecider<T, Hidden>{args, block, s, lane, group.count, group.first}.Run();
  // For the counts; behind the last neuron 0 up to the end of its tile.
  const SparseRowsScratch at(false, group.count, args.intermediate, Hidden);
  auto* kept = reinterpret_cast<uint8_t*>(static_cast<uint32_t*>(args.scratch) + at.kept);
  for (int n = lane; n < block.neurons; n += 32) kept[block.first + n] = s.rows[n];
  const int64_t behind = args.intermediate + lane;
  if (blockIdx.x == 0 && behind < at.tiles * kRowsTile) kept[behind] = 0;
}

template <class T, int Hidden>
__global__ void __launch_bounds__(kBulkThreads, 1)
    BulkRows(const __grid_constant__ GatedMlpArgs args, const __grid_constant__ RowGroup group) {
#if defined(CATS_SM90)
  using Size = BulkSize<Hidden>;
  auto& s = DynamicShared<BulkRowsShared<Hidden>>();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const BulkBlock block(args.intermediate);
  AllowNextKernel();
  if (warp >= kBulkWarps) {
    GiveRegisters<kOtherRegisters>();
    DecideAndFetch<T, Hidden>(args, group, block, s, warp, lane);
    return;
  }
  TakeRegisters<kWorkerRegisters>();
  BulkWorker<T, Hidden> worker{args, block, s, warp, lane};
  {
    uint4 x[Size::kChunks];
    const int g = lane >> 2, t = lane & 3;
    WaitForPreviousKernel();  // which may have made x
    const auto* row =
        reinterpret_cast<const uint4*>(static_cast<const T*>(args.x) + (group.first + g) * Hidden) +
        warp * (Size::kBytes / 16) + t;
#pragma unroll
    for (int c = 0; c < Size::kChunks; ++c) {
      x[c] = g < group.count ? LoadNow(row + c * 4) : make_uint4(0, 0, 0, 0);
    }
    __syncthreads();
    worker.Dots(x);
  }
  const SparseRowsScratch at(false, group.count, args.intermediate, Hidden);
  const int rows = RowsCompiled(group.count);
  worker.Down(reinterpret_cast<float*>(static_cast<uint32_t*>(args.scratch) + at.parts) +
                  static_cast<int64_t>(blockIdx.x) * rows * Hidden,
              rows);
#endif
}

}  // namespace cats::cuda
