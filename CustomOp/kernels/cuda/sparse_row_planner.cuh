// SPDX-License-Identifier: MIT
// The two warps of a block of the fused one-row kernel that work on no rows: one exchanges masks with the
// other blocks and plans the down rows, one collects the h that belong to these.
#pragma once
#include <type_traits>

#include "kernels/cuda/sparse_row_shared.cuh"

namespace cats::cuda {

__device__ __forceinline__ int PrefixSum(int v, int lane) {  // inclusive
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const int other = __shfl_up_sync(kAll, v, distance);
    if (lane >= distance) v += other;
  }
  return v;
}

template <class T, int Hidden, int Rows>
struct RowPlanner {
  using Shared = SparseRowShared<T, Hidden, Rows>;
  static constexpr int kPeers = kMaxBlocks / 32;  // blocks in a row that a lane looks after, at most
  static constexpr int kShares = (kMaxBlocks / kSlabs + 31) / 32;

  const SparseRowArgs& args;
  const BlockPlace& place;
  const SparseRowExchange& exchange;
  Shared& s;
  const int lane;
  const int peers = (place.blocks + 31) / 32;
  int kept[kPeers] = {};  // of the lane's blocks

  __device__ void Run() {
    const int first_peer = lane * peers;
    SendMask();
    ReceiveMasks();
    // Ranks: what the blocks before each one keep.
    int of_lane = 0;
#pragma unroll
    for (int k = 0; k < kPeers; ++k) of_lane += kept[k];
    int before = PrefixSum(of_lane, lane);
    const int total = __shfl_sync(kAll, before, 31);
    before -= of_lane;
    int holder_begin = before;
#pragma unroll
    for (int k = 0; k < kPeers; ++k) {
      if (k < peers && first_peer + k < place.blocks) s.rank[first_peer + k] = before;
      before += kept[k];
    }
    if (lane == 0) {
      s.rank[place.blocks] = total;
      if (Rows == 1 && place.block == 0 && args.active != nullptr) *args.active = total;
    }
    __syncwarp();
    int begin, size;
    Range(total, begin, size);
    if (lane == 0) Store(s.down_rows, size);
    // The block that holds the first row of the range, then each lane finds its own rows.
    int from = 0;
    bool mine = false;
#pragma unroll
    for (int k = 0; k < kPeers; ++k) {
      if (begin >= holder_begin && begin < holder_begin + kept[k]) from = first_peer + k, mine = true;
      holder_begin += kept[k];
    }
    const uint32_t holder = __ballot_sync(kAll, mine);
    from = __shfl_sync(kAll, from, holder == 0 ? 0 : __ffs(holder) - 1);
    for (int base = 0; base < size; base += 32) {
      const int i = base + lane;
      if (i < size) {
        while (s.rank[from + 1] <= begin + i) ++from;
        s.neuron[i] = place.FirstOf(from) +
                      NthKept(*reinterpret_cast<const Words*>(s.mask[from]), begin + i - s.rank[from]);
      }
      Fence();
      __syncwarp();
      if (lane == 0) Store(s.down_planned, min(base + 32, size));
    }
    if (Rows > 1 && place.block == 0 && args.active != nullptr) CountKept();
  }

  // With several rows the masks say what any of them keeps: their counts come by themselves.
  __device__ void CountKept() {
    auto* cells = reinterpret_cast<Words*>(args.exchange + exchange.counts);  // [from]
    int first = 0, second = 0;
    for (int from = lane; from < place.blocks; from += 32) {
      Words counts = Peek(cells + from);
      while (!IsFull(counts)) counts = Peek(cells + from);
      Send(cells + from, {kEmpty, kEmpty, kEmpty, kEmpty});
      first += static_cast<int>(counts.x), second += static_cast<int>(counts.y);
    }
    first = __reduce_add_sync(kAll, first);
    second = __reduce_add_sync(kAll, second);
    if (lane == 0) args.active[0] = first, args.active[1] = second;
  }

  __device__ void SendMask() {
    auto* cells = reinterpret_cast<Words*>(args.exchange + exchange.masks) + place.block;  // [to, from]
    const int neurons = place.NeuronsOf(place.block);
    while (Load(s.decided) < neurons) {
    }
    Fence();
    __syncwarp();
    const Words own = {s.own_mask[0], s.own_mask[1], s.own_mask[2], s.own_mask[3]};
    for (int to = lane; to < place.blocks; to += 32) Send(cells + to * place.blocks, own);
    if (Rows > 1 && lane == 0 && args.active != nullptr) {
      Send(reinterpret_cast<Words*>(args.exchange + exchange.counts) + place.block,
           {static_cast<uint32_t>(Load(s.kept_by[0])), static_cast<uint32_t>(Load(s.kept_by[Rows - 1])), 0,
            0});
    }
  }

  __device__ void ReceiveMasks() {
    auto* inbox =
        reinterpret_cast<Words*>(args.exchange + exchange.masks) + place.block * place.blocks + lane * peers;
    uint32_t missing = 0;
#pragma unroll
    for (int k = 0; k < kPeers; ++k) {
      if (k < peers && lane * peers + k < place.blocks) missing |= 1u << k;
    }
    while (missing != 0) {
      Words got[kPeers];
#pragma unroll
      for (int k = 0; k < kPeers; ++k) {
        if (missing >> k & 1u) got[k] = Peek(inbox + k);
      }
#pragma unroll
      for (int k = 0; k < kPeers; ++k) {
        if ((missing >> k & 1u) == 0 || !IsFull(got[k])) continue;
        const int from = lane * peers + k;
        *reinterpret_cast<Words*>(s.mask[from]) = got[k];
        kept[k] = Count(got[k]);
        Send(inbox + k, {kEmpty, kEmpty, kEmpty, kEmpty});
        missing &= ~(1u << k);
      }
    }
    __syncwarp();
  }

  // Each block of a slab adds up a range of the kept neurons in their order. Its size depends on the masks
  // alone and makes up for the block's gate and up rows (a whole row is kSlabs parts), so that all read the
  // same amount.
  __device__ void Range(int total, int& begin, int& size) {
    int cost[kShares];
    bool in[kShares];
#pragma unroll
    for (int k = 0; k < kShares; ++k) {
      const int p = lane + 32 * k;
      in[k] = p < place.positions;
      cost[k] = 0;
      if (in[k]) {
        const int b = p * kSlabs + place.slab;
        cost[k] = kSlabs * (place.NeuronsOf(b) + s.rank[b + 1] - s.rank[b]);
      }
    }
    int level = 0, rest = 0;
    for (bool again = true; again;) {
      int members = 0, work = 0;
      bool over = false;
#pragma unroll
      for (int k = 0; k < kShares; ++k) {
        members += __popc(__ballot_sync(kAll, in[k]));
        work += in[k] ? cost[k] : 0;
      }
      work = total + __reduce_add_sync(kAll, work);
      level = static_cast<int>(static_cast<uint32_t>(work) / static_cast<uint32_t>(members));
      rest = work - level * members;
#pragma unroll
      for (int k = 0; k < kShares; ++k) {
        if (in[k] && cost[k] > level) in[k] = false, over = true;
      }
      again = __any_sync(kAll, over);
    }
    begin = size = 0;
    int places = 0;
#pragma unroll
    for (int k = 0; k < kShares; ++k) {
      const uint32_t members = __ballot_sync(kAll, in[k]);
      const int nth = places + __popc(members & ((1u << lane) - 1));
      const int mine = in[k] ? level - cost[k] + (nth < rest ? 1 : 0) : 0;
      if (lane + 32 * k < place.position) begin += mine;
      if (lane + 32 * k == place.position) size = mine;
      places += __popc(members);
    }
    begin = __reduce_add_sync(kAll, begin);
    size = __reduce_add_sync(kAll, size);
  }

  using Cell = std::conditional_t<Rows == 1, uint32_t, WordPair>;
  __device__ void Keep(int i, uint32_t value) { s.h[0][i] = value; }
  __device__ void Keep(int i, WordPair value) { s.h[0][i] = value.x, s.h[Rows - 1][i] = value.y; }
  __device__ static void Empty(uint32_t* cell) { Send(cell, kEmpty); }
  __device__ static void Empty(WordPair* cell) { Send(cell, {kEmpty, kEmpty}); }

  // The other warp: h of the block's down rows, 96 at a time; their cells are emptied.
  __device__ void Collect() {
    constexpr int kTogether = 3;
    while (Load(s.down_rows) < 0) __nanosleep(100);
    const int size = Load(s.down_rows);
    for (int base = 0; base < size; base += 32 * kTogether) {
      while (Load(s.down_planned) < min(base + 32 * kTogether, size)) __nanosleep(20);
      Fence();
      __syncwarp();
      Cell* cell[kTogether];
      Cell value[kTogether];
      bool waiting[kTogether];
#pragma unroll
      for (int k = 0; k < kTogether; ++k) {
        const int i = base + 32 * k + lane;
        waiting[k] = i < size;
        cell[k] = reinterpret_cast<Cell*>(args.exchange + exchange.h) +
                  (waiting[k] ? static_cast<int64_t>(s.neuron[i]) * kSlabs + place.slab : 0);
      }
      int ready = 0;
      while (ready < kTogether) {
#pragma unroll
        for (int k = 0; k < kTogether; ++k) value[k] = waiting[k] ? Peek(cell[k]) : Cell{};
#pragma unroll
        for (int k = 0; k < kTogether; ++k) {
          if (waiting[k] && IsFull(value[k])) {
            Keep(base + 32 * k + lane, value[k]);
            Empty(cell[k]);
            waiting[k] = false;
          }
          if (__all_sync(kAll, !waiting[k]) && ready == k) ready = k + 1;
        }
        Fence();
        __syncwarp();
        if (lane == 0) Store(s.h_ready, min(base + 32 * ready, size));
      }
    }
  }
};

}  // namespace cats::cuda
