// SPDX-License-Identifier: MIT
// Up to 8 rows in one kernel whose weights come by bulk copies (sm_90, 16-bit formats): one block per
// multiprocessor, kBulkCluster of them a cluster with a fixed part of the neurons. Each block of a cluster
// has a part of the columns: so all of them read the same amount, whatever is kept. A task is the block's
// pieces of the gate, up or down rows of 16 neurons. One warp fetches tasks into a ring, eight workers own an
// eighth of the columns each (bulk_rows_worker.cuh). Gate tasks first; the blocks exchange their parts of the
// dot products through distributed shared memory, each decides and lists what is kept
// (bulk_rows_decider.cuh), and lists of 16 become the up tasks. Then the down rows: the workers keep their
// columns' sums of all rows in registers, and the last kernel adds up the clusters'. One stream of copies
// runs through all three, so that decisions and h cost no time.
#pragma once
#include "kernels/cuda/bulk_rows_decider.cuh"
#include "kernels/cuda/bulk_rows_worker.cuh"

namespace cats::cuda {

// Fetches the tasks. A warp of its own: while more copies are asked for than memory takes, whoever asks
// waits.
template <int Hidden>
struct BulkProducer {
  using Size = BulkSize<Hidden>;

  const GatedMlpArgs& args;
  const BulkCluster& cluster;
  BulkRowsShared<Hidden>& s;
  const int lane;
  const uint64_t policy = EvictFirst();
  int issued = 0;

  // row: of the cluster, in the lanes of the `count` rows, or -1.
  __device__ void Fetch(const void* matrix, int row, int count, int pitch) {
    const int stage = issued % Size::kStages, round = issued / Size::kStages;
    if (round > 0) BarrierWait(&s.empty[stage], (round - 1) & 1);
    if (lane == 0) BarrierExpect(&s.full[stage], count * Size::kPieceBytes);
    __syncwarp();
    if (row >= 0) {
      BulkCopy(s.ring[stage] + lane * pitch,
               static_cast<const unsigned char*>(matrix) + (cluster.first + row) * Size::kRowBytes +
                   cluster.rank * Size::kPieceBytes,
               Size::kPieceBytes, &s.full[stage], policy);
    }
    ++issued;
  }

  __device__ void Gate() {
    const int begin = issued * kTask, count = min(cluster.neurons - begin, kTask);
    Fetch(args.gate, lane < count ? begin + lane : -1, count, Size::kPieceBytes);
  }

  __device__ void Run() {
    while (issued < cluster.gates) Gate();
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
      Fetch(args.up, lane < count ? s.found_neuron[begin + lane] : -1, count, Size::kPieceBytes);
    }
    if (lane == 0) s.dots = issued;
    __syncwarp();
    int begin = 0;
    for (int tile = 0; tile < cluster.tiles;) {
      const DownSpan span(s.any, tile, cluster.tiles - tile, lane);
      if (span.count > 0)
        Fetch(args.down, lane < span.count ? s.found_neuron[begin + lane] : -1, span.count, Size::kDownBytes);
      begin += span.count, tile += span.tiles;
    }
    if (begin == 0) Fetch(args.down, -1, 0, Size::kDownBytes);  // the workers wait for one
  }
};

// The barriers of the block, before the first __syncthreads.
template <int Hidden>
__device__ __forceinline__ void InitBarriers(BulkRowsShared<Hidden>& s, int lane) {
  if (lane < BulkSize<Hidden>::kStages) {
    BarrierInit(&s.full[lane]);
    BarrierInit(&s.empty[lane], kBulkWarps);
  }
  if (lane < kPartSlots) {
    BarrierInit(&s.filled[lane], kBulkWarps);
    BarrierInit(&s.taken[lane]);
  }
  if (lane < kInboxSlots) {
    BarrierInit(&s.inbox_full[lane]);
    BarrierInit(&s.inbox_read[lane]);
    BarrierInit(&s.inbox_empty[lane], kBulkCluster);
    ExpectFromPeers(s, lane);
  }
  if (lane == 0) {
    BarrierInit(&s.all_told, kBulkCluster);
    s.turn = s.found = s.complete = s.h_ready = 0;
    s.dots = 1 << 30;
  }
  BarrierInitFence();
}

// What the deciders need of the rows and of the cluster's neurons, by all helpers.
template <class T, int Hidden>
__device__ __forceinline__ void ReadThresholds(const GatedMlpArgs& args, const RowGroup& group,
                                               const BulkCluster& cluster, BulkRowsShared<Hidden>& s,
                                               int helper) {
  constexpr int kEach = (kMaxBulkNeurons + kBulkHelpers - 1) / kBulkHelpers;
  float threshold[kEach], gate_bias[kEach], up_bias[kEach];
  const float scale = args.threshold_scale == nullptr || helper >= group.count
                          ? 1.0f
                          : args.threshold_scale[args.scale_per_row ? group.first + helper : 0];
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    const int n = helper + k * kBulkHelpers;
    const bool is = n < cluster.neurons;
    const int64_t i = cluster.first + n;
    const auto bias = [&](const void* of) {
      return of != nullptr && is ? T::ToFloat(static_cast<const T*>(of)[i]) : 0.0f;
    };
    threshold[k] = is ? args.threshold[args.threshold_per_neuron ? i : 0] : 0.0f;
    gate_bias[k] = bias(args.gate_bias);
    up_bias[k] = bias(args.up_bias);
  }
  ArriveAt<kBulkThreads>(kAskedFor);
  if (helper < kRowGroup) s.scale[helper] = scale;
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    const int n = helper + k * kBulkHelpers;
    if (n >= kMaxBulkNeurons) break;
    s.threshold[n] = threshold[k];
    s.gate_bias[n] = gate_bias[k];
    s.up_bias[n] = up_bias[k];
  }
  SyncAt<kBulkHelpers>(kThresholdsRead);
}

template <class T, int Hidden>
__global__ void __launch_bounds__(kBulkThreads, 1)
    BulkRows(const __grid_constant__ GatedMlpArgs args, const __grid_constant__ RowGroup group) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) unsigned char shared_bytes[];
  auto& s = *reinterpret_cast<BulkRowsShared<Hidden>*>(shared_bytes);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const BulkCluster cluster(args.intermediate);
  const SparseRowsScratch at(false, group.count, args.intermediate, Hidden);
  auto* scratch = static_cast<uint32_t*>(args.scratch);
  AllowNextKernel();
  if (warp == kSender) InitBarriers(s, lane);
  __syncthreads();
  ArriveAtCluster();
  if (warp < kBulkWarps) {
    BulkWorker<T, Hidden> worker{args, cluster, s, warp, lane};
    uint4 x[BulkSize<Hidden>::kChunks];
    worker.LoadX(group, x);
    ArriveAt<kBulkThreads>(kAskedFor);
    worker.Dots(x);
    const int rows = RowsCompiled(group.count);
    worker.Down(
        reinterpret_cast<float*>(scratch + at.parts) + static_cast<int64_t>(cluster.index) * rows * Hidden,
        rows);
    return;
  }
  if (warp == kProducer) {
    SyncAt<kBulkThreads>(kAskedFor);
    BulkProducer<Hidden>{args, cluster, s, lane}.Run();
    return;
  }
  ReadThresholds<T>(args, group, cluster, s, threadIdx.x - kBulkWarps * 32);
  if (warp == kSender) {
    SendDots(cluster, s, lane);
  } else if (warp == kAcknowledger) {
    WaitForCluster();
    Acknowledge(cluster, s, lane);
  } else {
    BulkDecider<T, Hidden>{args, cluster, s, lane, group.count, warp - kDecider}.Run();
    if (warp != kDecider || cluster.rank != 0) return;
    // All deciders' last gate task is published. For the counts; behind the last neuron 0 up to the end of
    // its tile.
    auto* kept = reinterpret_cast<uint8_t*>(scratch + at.kept);
    for (int n = lane; n < cluster.neurons; n += 32) kept[cluster.first + n] = s.rows[n];
    const int64_t behind = args.intermediate + lane;
    if (cluster.index == 0 && behind < at.tiles * kRowsTile) kept[behind] = 0;
  }
#endif
}

}  // namespace cats::cuda
