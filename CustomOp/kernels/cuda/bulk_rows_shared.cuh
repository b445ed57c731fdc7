// SPDX-License-Identifier: MIT
// What the warps of the kernel for several rows (bulk_rows.cuh) share: its sizes, the cluster's part of the
// work, and the block's shared memory.
#pragma once
#include "kernels/cuda/cluster.cuh"
#include "kernels/cuda/exchange.cuh"
#include "kernels/cuda/sparse_rows.cuh"

namespace cats::cuda {

constexpr int kBulkWarps = 8;
// Behind the workers: who adds up and sends, who acknowledges, who decide, who fetches.
constexpr int kDeciders = 3;
constexpr int kSender = kBulkWarps, kAcknowledger = kSender + 1, kDecider = kAcknowledger + 1;
constexpr int kProducer = kDecider + kDeciders;
constexpr int kBulkThreads = (kProducer + 1) * 32, kBulkHelpers = (kProducer - kSender) * 32;
constexpr int kTile = 8;         // neurons of a product
constexpr int kTask = 16;        // neurons of a task
constexpr int kPartSlots = 6;    // tasks whose parts wait for the sender
constexpr int kInboxSlots = 10;  // tasks whose parts wait for a decider
// Tasks on their way. What blocks send each other waits behind them: H100, 8 rows at 50%: 2 / 3 / 5 stages
// 98.7 / 100.0 / 101.3 us.
constexpr int kBulkStages = 2;

template <int Hidden>
struct BulkSize {
  static constexpr int kRowBytes = Hidden * 2;
  static constexpr int kPieceBytes = kRowBytes / kBulkCluster;  // of a row: the block's columns
  static constexpr int kPieceColumns = kPieceBytes / 2;
  static constexpr int kBytes = kPieceBytes / kBulkWarps;  // of a piece: a worker's columns
  static constexpr int kColumns = kBytes / 2;
  static constexpr int kChunks = kBytes / 64;  // 16 bytes for each of 4 lanes
  // Pieces of down lie so that 16 bytes of each of 8 are in other banks, two by two. Copies to multiples of
  // 32 bytes are 3% faster than to other ones, and to multiples of 128, where gate and up lie, 2% more.
  static constexpr int kDownBytes = kPieceBytes + 32;
  static constexpr int kStageBytes = kTask * kDownBytes;
  static constexpr int kStages = kBulkStages;
  static_assert(kPieceBytes % 128 == 0 && kBytes % 64 == 0 && kStageBytes % 128 == 0);
};

template <int Hidden>
struct BulkRowsShared {
  using Size = BulkSize<Hidden>;
  alignas(128) unsigned char ring[Size::kStages][Size::kStageBytes];
  alignas(16) float parts[kPartSlots][kBulkWarps][kTask * kRowGroup];     // [neuron, row]
  alignas(16) float inbox[kInboxSlots][kBulkCluster][kTask * kRowGroup];  // of each block of the cluster
  // [neuron / kTile, term, row, neuron % kTile] of T: an activation in the place of its first term, 0 where
  // it is not kept; then the terms of h. Pairs of neurons are what a lane takes of the columns of B.
  alignas(16) uint16_t h[kMaxBulkNeurons / kTile][2][kRowGroup][kTile];
  float scale[kRowGroup];  // of the thresholds
  float threshold[kMaxBulkNeurons], gate_bias[kMaxBulkNeurons], up_bias[kMaxBulkNeurons];
  uint16_t found_neuron[kMaxBulkNeurons];  // those that any row keeps, in order
  uint8_t rows[kMaxBulkNeurons];           // of each neuron, bit r: row r keeps it
  uint8_t any[kMaxBulkNeurons / kTile];    // of each tile, bit n: any row keeps the neuron
  uint64_t full[Size::kStages], empty[Size::kStages];
  uint64_t filled[kPartSlots], taken[kPartSlots];
  uint64_t inbox_full[kInboxSlots], inbox_read[kInboxSlots], inbox_empty[kInboxSlots];
  uint64_t all_told;
  int turn;      // the gate or up task to publish next
  int found;     // entries that are there
  int complete;  // 1: there will be no more
  int h_ready;   // entries whose h is there
  int dots;      // gate and up tasks; written before the first down task is fetched
};

// The blocks of a cluster share its neurons; each has its part of the columns.
struct BulkCluster {
  int64_t first;  // neuron
  int neurons, gates, tiles, rank, index;

  __device__ explicit BulkCluster(int64_t intermediate)
      : rank(static_cast<int>(blockIdx.x % kBulkCluster)),
        index(static_cast<int>(blockIdx.x / kBulkCluster)) {
    const int64_t clusters = gridDim.x / kBulkCluster;
    const int64_t share = intermediate / clusters, extra = intermediate % clusters;
    first = index * share + min(static_cast<int64_t>(index), extra);
    neurons = static_cast<int>(share + (index < extra ? 1 : 0));
    gates = (neurons + kTask - 1) / kTask;
    tiles = (neurons + kTile - 1) / kTile;
  }
};

// A load that stays where it is written.
__device__ __forceinline__ uint4 LoadNow(const uint4* p) {
  uint4 v;
  asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p)
               : "memory");
  return v;
}

// The producer goes on when all other warps have asked for what they need of global memory: behind rows that
// are on their way it would take microseconds.
enum NamedBarrier : int { kAskedFor = 1, kThresholdsRead = 2 };
template <int Threads>
__device__ __forceinline__ void ArriveAt(NamedBarrier barrier) {
  asm volatile("bar.arrive %0, %1;" ::"r"(static_cast<int>(barrier)), "n"(Threads) : "memory");
}
template <int Threads>
__device__ __forceinline__ void SyncAt(NamedBarrier barrier) {
  asm volatile("bar.sync %0, %1;" ::"r"(static_cast<int>(barrier)), "n"(Threads) : "memory");
}

// The tiles of the next down task: as many as have kTask kept neurons together, so that a task is large also
// where few are kept. A sum is made tile by tile, whatever lies in one task.
struct DownSpan {
  int tiles;   // 32 at most
  int count;   // kept neurons
  int before;  // of the lane's tile: those of the tiles before it

  // first: tile; rest: tiles from there on.
  __device__ DownSpan(const uint8_t* any, int first, int rest, int lane) {
    const int mine = lane < rest ? __popc(any[first + lane]) : kTask + 1;
    int up_to = mine;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
      const int other = __shfl_up_sync(kAll, up_to, distance);
      if (lane >= distance) up_to += other;
    }
    tiles = __popc(__ballot_sync(kAll, up_to <= kTask));
    count = __shfl_sync(kAll, up_to, tiles - 1);
    before = up_to - mine;
  }
};

}  // namespace cats::cuda
