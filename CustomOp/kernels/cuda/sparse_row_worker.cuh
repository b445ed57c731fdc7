// SPDX-License-Identifier: MIT
// A warp of the fused one-row kernel that works on rows: gate rows, then up rows, then down rows, as they
// come. It starts its next copy when one has arrived and works on that one meanwhile.
#pragma once
#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/sparse_row_shared.cuh"
#include "kernels/decision.h"
#include "kernels/silu.h"

namespace cats::cuda {

template <class T, int Hidden, int Rows>
struct RowWorker {
  using Size = RowSize<T, Hidden>;
  using Shared = SparseRowShared<T, Hidden, Rows>;
  static constexpr int kWarps = Size::kWarps;
  enum Task : int { kNone = 0, kEnd = 1, kGate = 1 << 28, kUp = 2 << 28, kDown = 3 << 28 };
  static constexpr int kIndex = (1 << 28) - 1;  // of a task: the number of its row, or of its rows

  const SparseRowArgs& args;
  const BlockPlace& place;
  const SparseRowExchange& exchange;
  Shared& s;
  const int warp, lane, first, neurons;
  const uint64_t policy = EvictFirst();
  Task phase = kGate;
  int claimed = -1;  // lane 0: an entry of found[] that may not be there yet
  int chunk;         // the next down task
  int issued = 0, done = 0;

  __device__ RowWorker(const SparseRowArgs& args_, const BlockPlace& place_,
                       const SparseRowExchange& exchange_, Shared& shared, int warp_, int lane_)
      : args(args_),
        place(place_),
        exchange(exchange_),
        s(shared),
        warp(warp_),
        lane(lane_),
        first(place_.FirstOf(place_.block)),
        neurons(place_.NeuronsOf(place_.block)),
        chunk(warp_) {}

  __device__ void Copy(void* to, const void* matrix, int64_t row, int offset, int bytes, uint64_t* barrier) {
    BulkCopy(to, static_cast<const unsigned char*>(matrix) + row * Size::kBytes + offset, bytes, barrier,
             policy);
  }

  // The first gate row: it depends on nothing, so nothing is waited for.
  __device__ void Start() {
    if (lane == 0) {
      for (int i = 0; i < kStages; ++i) BarrierInit(&s.full[warp][i]);
      BarrierInitFence();
    }
    if (warp < neurons) Issue(kGate | warp);
  }

  // The next task of this warp, the same in all lanes; kNone if there is none yet, kEnd if never again.
  __device__ int Next() {
    if (phase == kGate) {
      int r = 0;
      if (lane == 0) r = atomicAdd(&s.gate_next, 1);
      r = __shfl_sync(kAll, r, 0);
      if (r < neurons) return kGate | r;
      phase = kUp;
    }
    if (phase == kUp) {
      int task = kNone;
      if (lane == 0) {
        if (claimed < 0) claimed = atomicAdd(&s.found_next, 1);
        const bool complete = Load(s.decided) == neurons;
        Fence();
        if (claimed < neurons && Load(s.found[claimed]) != ~0ull) {
          task = kUp | claimed;
          claimed = -1;
        } else if (complete && claimed >= Load(s.found_count)) {
          task = kEnd;
        }
      }
      task = __shfl_sync(kAll, task, 0);
      if (task != kEnd) return task;
      phase = kDown;
    }
    if (phase == kDown) {
      const int total = __shfl_sync(kAll, Load(s.down_rows), 0);
      const int planned = __shfl_sync(kAll, Load(s.down_planned), 0);
      if (total < 0) return kNone;
      if (chunk * kSlabs < total) {
        if (planned < min(chunk * kSlabs + kSlabs, total)) return kNone;
        Fence();
        chunk += kWarps;
        return kDown | (chunk - kWarps);
      }
      phase = kEnd;
    }
    return kEnd;
  }

  __device__ void Issue(int task) {
    const int slot = issued % kStages;
    const int index = task & kIndex;
    uint64_t* barrier = &s.full[warp][slot];
    unsigned char* to = s.ring[warp][slot];
    if ((task & ~kIndex) == kDown) {
      const int begin = index * kSlabs;
      const int count = min(kSlabs, s.down_rows - begin);
      if (lane == 0) {
        s.task[warp][slot] = task;
        BarrierExpect(barrier, count * Size::kSlabBytes);
      }
      __syncwarp();
      if (lane < count) {
        Copy(to + lane * Size::kSlabBytes, args.down, s.neuron[begin + lane], place.slab * Size::kSlabBytes,
             Size::kSlabBytes, barrier);
      }
    } else if (lane == 0) {
      s.task[warp][slot] = task;
      BarrierExpect(barrier, Size::kBytes);
      const bool is_gate = (task & ~kIndex) == kGate;
      const int r = is_gate ? index : static_cast<int>(Load(s.found[index]) >> 32);
      Copy(to, is_gate ? args.gate : args.up, first + r, 0, Size::kBytes, barrier);
    }
    ++issued;
    __syncwarp();
  }

  __device__ void Gate(int r, const float (&dot)[Rows]) {
    float a[Rows];
    uint32_t rows = 0;
#pragma unroll
    for (int k = 0; k < Rows; ++k) {
      const float biased = args.gate_bias == nullptr ? dot[k] : __fadd_rn(dot[k], s.gate_bias[r]);
      a[k] = Rounded(T{}, Silu(Rounded(T{}, biased)));
      rows |= IsKept(a[k], s.threshold_bits[k][r]) ? 1u << k : 0u;
    }
    if (lane != 0) return;
    if (rows != 0) {
      const int u = atomicAdd(&s.found_count, 1);
      const auto entry = static_cast<unsigned long long>(r) << 32;
      if constexpr (Rows == 1) {
        Store(s.found[u], entry | __float_as_uint(a[0]));
      } else {
#pragma unroll
        for (int k = 0; k < Rows; ++k) {
          Store(s.a[k][r], a[k]);
          if ((rows >> k & 1u) != 0) atomicAdd(&s.kept_by[k], 1);
        }
        Fence();
        Store(s.found[u], entry | rows);
      }
      Prefetch(r);
      atomicOr(&s.own_mask[r / kMaskBits], 1u << (r % kMaskBits));
    }
    Fence();
    atomicAdd(&s.decided, 1);
  }

  // While gate rows arrive, memory has a little time left, and at high sparsity more when all have arrived:
  // some down rows are asked for already, at most args.prefetch_rows of a block, spread evenly over its gate
  // rows.
  __device__ void Prefetch(int r) {
    const int64_t row = static_cast<int64_t>(first + r) * Size::kBytes;
    if (r < args.prefetch_first || Load(s.prefetched) * (neurons - args.prefetch_first) >=
                                       args.prefetch_rows * (r + 1 - args.prefetch_first))
      return;
    atomicAdd(&s.prefetched, 1);
    BulkPrefetch(static_cast<const unsigned char*>(args.down) + row, Size::kBytes);
    if (args.prefetch_up) BulkPrefetch(static_cast<const unsigned char*>(args.up) + row, Size::kBytes);
  }

  __device__ void Up(int entry_index, const float (&dot)[Rows]) {
    const unsigned long long entry = s.found[entry_index];
    const int r = static_cast<int>(entry >> 32);
    const auto low = static_cast<uint32_t>(entry);
    uint32_t h[Rows];
#pragma unroll
    for (int k = 0; k < Rows; ++k) {
      const float a = Rows == 1 ? __uint_as_float(low) : Load(s.a[Rows == 1 ? 0 : k][Rows == 1 ? 0 : r]);
      const float up = args.up_bias == nullptr ? dot[k] : __fadd_rn(dot[k], s.up_bias[r]);
      h[k] = Rows == 1 || (low >> k & 1u) != 0 ? Sendable(__fmul_rn(a, up)) : kSkipped;
    }
    if (lane != 0) return;
    // A copy for each slab's reader, the rows' beside each other.
    auto* cell =
        reinterpret_cast<Words*>(args.exchange + exchange.h) + static_cast<int64_t>(first + r) * Rows;
    if constexpr (Rows == 1) {
      Send(cell, {h[0], h[0], h[0], h[0]});
    } else {
      Send(cell, {h[0], h[1], h[0], h[1]});
      Send(cell + 1, {h[0], h[1], h[0], h[1]});
    }
  }

  __device__ void Down(int index, const uint4* data, float (&sum)[Rows][Size::kSlabChunks][Size::kPerLane]) {
    const int begin = index * kSlabs;
    const int count = min(kSlabs, s.down_rows - begin);
    while (Load(s.h_ready) < begin + count) __nanosleep(20);
    Fence();
    __syncwarp();
    const auto add = [&](int i) {
      uint32_t h[Rows];
#pragma unroll
      for (int k = 0; k < Rows; ++k) h[k] = s.h[k][begin + i];
      AddRows<T>(sum, h, kSkipped, data + i * Size::kSlabChunks * 32, lane);
    };
    if (count == kSlabs) {
#pragma unroll
      for (int i = 0; i < kSlabs; ++i) add(i);
    } else {
      for (int i = 0; i < count; ++i) add(i);
    }
  }

  // All tasks; then the warp's sums lie where its stages were.
  __device__ void Run() {
    uint4 x[Rows == 1 ? Size::kChunks : 1];  // several rows' stay in shared memory
    if (args.skip == nullptr) BarrierWait(&s.x_full, 0);
    if constexpr (Rows == 1) {
#pragma unroll
      for (int c = 0; c < Size::kChunks; ++c)
        x[c] = ForDot<T>(reinterpret_cast<const uint4*>(s.x[0])[c * 32 + lane]);
    }
    float sum[Rows][Size::kSlabChunks][Size::kPerLane] = {};
    for (bool more = true; more || issued > done;) {
      if (issued > done) {
        BarrierWait(&s.full[warp][done % kStages], (done / kStages) & 1);
      }
      const bool arrived = issued > done;
      if (more) {
        const int task = Next();
        if (task == kEnd) {
          more = false;
        } else if (task != kNone) {
          Issue(task);
        } else if (!arrived) {
          __nanosleep(20);
        }
      }
      if (!arrived) continue;
      const int slot = done % kStages;
      const int task = s.task[warp][slot];
      const int index = task & kIndex;
      const auto* data = reinterpret_cast<const uint4*>(s.ring[warp][slot]);
      if ((task & ~kIndex) == kDown) {
        Down(index, data, sum);
      } else {
        float dot[Rows];
        if constexpr (Rows == 1) {
          dot[0] = Dot<T>(data, x, lane);
        } else {
          DotsOfTwo<T, Size::kChunks>(data, s.x, lane, dot);
        }
        if ((task & ~kIndex) == kGate) {
          Gate(index, dot);
        } else {
          Up(index, dot);
        }
      }
      __syncwarp();
      ++done;
    }
#pragma unroll
    for (int k = 0; k < Rows; ++k) {
#pragma unroll
      for (int c = 0; c < Size::kSlabChunks; ++c) {
        auto* out = s.Sums(warp, k) + (c * 32 + lane) * (Size::kPerLane / 4);
#pragma unroll
        for (int e = 0; e < Size::kPerLane / 4; ++e) {
          out[e] =
              make_float4(sum[k][c][4 * e], sum[k][c][4 * e + 1], sum[k][c][4 * e + 2], sum[k][c][4 * e + 3]);
        }
      }
    }
  }
};

}  // namespace cats::cuda
