// SPDX-License-Identifier: MIT
// The warps of the kernel for several rows (bulk_rows.cuh) that make dot products of the workers' parts and
// decisions of these. Every block of a cluster gets the parts of all blocks and decides for itself, all
// the same.
#pragma once
#include "kernels/cuda/bulk_rows_shared.cuh"

namespace cats::cuda {

// Waits for the phase of a gate or up task; false where there is no such task.
template <int Hidden>
__device__ __forceinline__ bool AwaitDots(const BulkCluster& cluster, BulkRowsShared<Hidden>& s, int task,
                                          uint64_t* barrier, uint32_t parity) {
  for (bool there = task < cluster.gates; !there;) {  // a gate task comes for certain
    const bool complete = Load(s.complete) != 0;
    Fence();
    there = BarrierTest(barrier, parity);
    if (!there && complete && task >= cluster.gates + (Load(s.found) + kTask - 1) / kTask) return false;
    if (!there) __nanosleep(20);
  }
  BarrierWait(barrier, parity);
  return true;
}

// Before any peer sends a task's parts: how many bytes will come.
template <int Hidden>
__device__ __forceinline__ void ExpectFromPeers(BulkRowsShared<Hidden>& s, int place) {
  BarrierExpect(&s.inbox_full[place],
                kBulkCluster * kTask * kRowGroup * static_cast<uint32_t>(sizeof(float)));
}

// Adds up what the workers have of a task, and sends it to all blocks of the cluster.
template <int Hidden>
__device__ void SendDots(const BulkCluster& cluster, BulkRowsShared<Hidden>& s, int lane) {
  static_assert(kTask * kRowGroup == 32 * 4);
  WaitForCluster();
  for (int task = 0;; ++task) {
    const int slot = task % kPartSlots, place = task % kInboxSlots;
    const bool more = AwaitDots(cluster, s, task, &s.filled[slot], (task / kPartSlots) & 1);
    if (!__any_sync(kAll, more)) return;
    float4 v = reinterpret_cast<const float4*>(s.parts[slot][0])[lane];
#pragma unroll
    for (int warp = 1; warp < kBulkWarps; ++warp) {
      const float4 other = reinterpret_cast<const float4*>(s.parts[slot][warp])[lane];
      v.x += other.x, v.y += other.y, v.z += other.z, v.w += other.w;
    }
    __syncwarp();
    if (lane == 0) BarrierArrive(&s.taken[slot]);
    if (task >= kInboxSlots) WaitForPeers(&s.inbox_empty[place], (task / kInboxSlots - 1) & 1);
    auto* mine = reinterpret_cast<const float4*>(s.inbox[place][cluster.rank]) + lane;
#pragma unroll
    for (int peer = 0; peer < kBulkCluster; ++peer)
      SendToPeer(AtPeer(mine, peer), AtPeer(&s.inbox_full[place], peer), v);
  }
}

// Tells all blocks of the cluster what the deciders have read. A warp of its own: it takes a microsecond.
// Then waits until no block has anything more to tell: a block that is gone could not be told.
template <int Hidden>
__device__ void Acknowledge(const BulkCluster& cluster, BulkRowsShared<Hidden>& s, int lane) {
  for (int task = 0;; ++task) {
    const int place = task % kInboxSlots;
    const bool more = AwaitDots(cluster, s, task, &s.inbox_read[place], (task / kInboxSlots) & 1);
    if (!__any_sync(kAll, more)) break;
    if (lane < kBulkCluster) ArriveAtPeer(AtPeer(&s.inbox_empty[place], lane));
  }
  __syncwarp();
  if (lane < kBulkCluster) ArriveAtPeer(AtPeer(&s.all_told, lane));
  WaitForPeers(&s.all_told, 0);
}

// One of kDeciders, for each such task of all: the work on a task takes longer than its rows. Lane 2n + half
// has rows 4 * half to 4 * half + 3 of neuron n of a task. No access to global memory while rows stream:
// behind them one takes microseconds, and so does a fence behind a store to a peer.
template <class T, int Hidden>
struct BulkDecider {
  static constexpr int kRows = 4;  // of a lane

  const GatedMlpArgs& args;
  const BulkCluster& cluster;
  BulkRowsShared<Hidden>& s;
  const int lane, count;  // rows of the group
  int task;

  // The dot products, added up in the order of the blocks. False: there are no more.
  __device__ bool Take(float (&total)[kRows]) {
    const int place = task % kInboxSlots;
    const bool more = AwaitDots(cluster, s, task, &s.inbox_full[place], (task / kInboxSlots) & 1);
    if (!__any_sync(kAll, more)) return false;
    WaitForPeers(&s.inbox_full[place],
                 (task / kInboxSlots) & 1);  // it has come: what peers wrote is seen now
    float4 v = reinterpret_cast<const float4*>(s.inbox[place][0])[lane];
#pragma unroll
    for (int peer = 1; peer < kBulkCluster; ++peer) {
      const float4 other = reinterpret_cast<const float4*>(s.inbox[place][peer])[lane];
      v.x += other.x, v.y += other.y, v.z += other.z, v.w += other.w;
    }
    total[0] = v.x, total[1] = v.y, total[2] = v.z, total[3] = v.w;
    if (lane == 0) ExpectFromPeers(s, place);
    __syncwarp();
    if (lane == 0) BarrierArrive(&s.inbox_read[place]);
    return true;
  }

  // Waits until all tasks before this one are published.
  __device__ void AwaitTurn() const {
    while (Load(s.turn) != task) {
    }
    Fence();
    __syncwarp();
  }

  // Of term k of row r of a neuron.
  __device__ uint16_t& TermOf(int neuron, int k, int r) const {
    return s.h[neuron / kTile][k][r][neuron % kTile];
  }

  // The even bits of v.
  __device__ static uint32_t EvenBits(uint32_t v) {
    v &= 0x55555555u;
    v = (v | v >> 1) & 0x33333333u;
    v = (v | v >> 2) & 0x0f0f0f0fu;
    v = (v | v >> 4) & 0x00ff00ffu;
    return (v | v >> 8) & 0xffffu;
  }

  __device__ void Gate(const float (&total)[kRows], const float (&scale)[kRows]) const {
    const int of_task = lane / 2, first = lane % 2 * kRows, n = task * kTask + of_task;
    uint32_t rows = 0;
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const float biased = args.gate_bias == nullptr ? total[r] : __fadd_rn(total[r], s.gate_bias[n]);
      const float a = Rounded(T{}, Silu(Rounded(T{}, biased)));
      const bool keeps =
          n < cluster.neurons && first + r < count && IsKept(a, ThresholdBits(s.threshold[n], scale[r]));
      TermOf(n, 0, first + r) = keeps ? StoredBits(T{}, a) : uint16_t{0};
      TermOf(n, 1, first + r) = 0;
      rows |= keeps ? 1u << (first + r) : 0u;
    }
    rows |= __shfl_xor_sync(kAll, rows, 1);
    const uint32_t any = EvenBits(__ballot_sync(kAll, rows != 0u));
    AwaitTurn();
    const int found = Load(s.found);
    if (first == 0) {
      s.rows[n] = static_cast<uint8_t>(rows);
      if (rows != 0u) s.found_neuron[found + __popc(any & ((1u << of_task) - 1u))] = static_cast<uint16_t>(n);
    }
    if (lane < kTask / kTile)
      s.any[task * (kTask / kTile) + lane] = static_cast<uint8_t>(any >> (lane * kTile));
    __syncwarp();
    Fence();
    if (lane != 0) return;
    Store(s.found, found + __popc(any));
    Fence();
    if (task == cluster.gates - 1) Store(s.complete, 1);
    Store(s.turn, task + 1);
  }

  __device__ void Up(const float (&total)[kRows]) const {
    const int found = Load(s.found), begin = (task - cluster.gates) * kTask;
    const int entry = begin + lane / 2, first = lane % 2 * kRows;
    if (entry < found) {
      const int n = s.found_neuron[entry];
      const uint32_t rows = s.rows[n];
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const int row = first + r;
        const bool keeps = (rows >> row & 1u) != 0u;
        T a;
        a.bits = TermOf(n, 0, row);
        const float up = args.up_bias == nullptr ? total[r] : __fadd_rn(total[r], s.up_bias[n]);
        HTerms<T>::Split(keeps ? __fmul_rn(Widened(a), up) : 0.0f, TermOf(n, 0, row), TermOf(n, 1, row));
      }
    }
    AwaitTurn();
    __syncwarp();
    Fence();
    if (lane != 0) return;
    Store(s.h_ready, min(begin + kTask, found));
    Fence();
    Store(s.turn, task + 1);
  }

  __device__ void Run() {
    float scale[kRows], total[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r) scale[r] = s.scale[lane % 2 * kRows + r];
    for (; Take(total); task += kDeciders) {
      if (task < cluster.gates)
        Gate(total, scale);
      else
        Up(total);
    }
  }
};

}  // namespace cats::cuda
