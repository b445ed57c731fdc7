// SPDX-License-Identifier: MIT
// What the warps of the kernel for several rows (bulk_rows.cuh) share: its sizes, the block's part of the
// neurons, and its shared memory.
#pragma once
#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/exchange.cuh"
#include "kernels/cuda/sparse_rows.cuh"

namespace cats::cuda {

constexpr int kBulkWarps = 8;
// Behind the workers: who decides, who fetches, and two that help at the start and fill the warpgroup.
constexpr int kDecider = kBulkWarps, kProducer = kBulkWarps + 1;
constexpr int kBulkThreads = (kBulkWarps + 4) * 32;
// Registers of a thread: kBulkThreads times 168 at the launch, then the workers take what the others leave.
constexpr int kWorkerRegisters = 224, kOtherRegisters = 56;
static_assert(kBulkWarps * 32 * kWorkerRegisters + 4 * 32 * kOtherRegisters <= kBulkThreads * 168);
constexpr int kTask = 8;       // neurons
constexpr int kPartSlots = 4;  // tasks whose parts wait for the decider

template <int Hidden>
struct BulkSize {
  static constexpr int kBytes = Hidden * 2 / kBulkWarps;  // of a worker's part of a row
  static constexpr int kChunks = kBytes / 64;             // 16 bytes for each of 4 lanes
  static constexpr int kColumns = kBytes / 2;
  static constexpr int kRowBytes = Hidden * 2;
  // Down rows lie so that 16 bytes of each of 8 are in other banks, two by two. Copies to multiples of 32
  // bytes are 3% faster than to other ones, and to multiples of 128, where gate and up rows lie, 2% more.
  static constexpr int kDownBytes = kRowBytes + 32;
  static constexpr int kStageBytes = kTask * kDownBytes;
  static constexpr int kFit = 206 * 1024 / kStageBytes;
  static constexpr int kStages = kFit < 6 ? kFit : 6;
  static_assert(kBytes % 128 == 0 && kStageBytes % 128 == 0 && kStages >= 2);
};

template <int Hidden>
struct BulkRowsShared {
  using Size = BulkSize<Hidden>;
  alignas(128) unsigned char ring[Size::kStages][Size::kStageBytes];
  alignas(16) float parts[kPartSlots][kBulkWarps][kTask * kRowGroup];  // [neuron, row]
  // A neuron's activation of each row, 0 where it is not kept; then its h, two terms of each row.
  uint32_t cell[kMaxBulkNeurons][kRowGroup];
  float threshold[kMaxBulkNeurons], gate_bias[kMaxBulkNeurons], up_bias[kMaxBulkNeurons];
  uint16_t found_neuron[kMaxBulkNeurons];  // those that any row keeps, in order
  uint8_t rows[kMaxBulkNeurons];           // of each neuron, bit r: row r keeps it
  uint8_t any[kMaxBulkNeurons / kTask];    // of each gate task, bit n: any row keeps the neuron
  uint64_t full[Size::kStages], empty[Size::kStages];
  uint64_t filled[kPartSlots], taken[kPartSlots];
  int found;     // entries that are there
  int complete;  // 1: there will be no more
  int h_ready;   // entries whose cells are h
  int dots;      // gate and up tasks; written before the first down task is fetched
};

struct BulkBlock {
  int64_t first;  // neuron
  int neurons, gates;

  __device__ explicit BulkBlock(int64_t intermediate) {
    const int64_t share = intermediate / gridDim.x, extra = intermediate % gridDim.x, b = blockIdx.x;
    first = b * share + min(b, extra);
    neurons = static_cast<int>(share + (b < extra ? 1 : 0));
    gates = (neurons + kTask - 1) / kTask;
  }
};

// The gate tasks whose down rows are the next stage: as many as have kTask kept neurons together, so that a
// stage is full also where few are kept. A sum is made task by task, whatever lies in one stage.
struct DownSpan {
  int tasks;   // 32 at most
  int count;   // kept neurons
  int before;  // of the lane's task: those of the tasks before it

  // any: the masks of the tasks from the span's first on, `rest` of them.
  __device__ DownSpan(const uint8_t* any, int rest, int lane) {
    const int mine = lane < rest ? __popc(any[lane]) : kTask + 1;
    int up_to = mine;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
      const int other = __shfl_up_sync(kAll, up_to, distance);
      if (lane >= distance) up_to += other;
    }
    tasks = __popc(__ballot_sync(kAll, up_to <= kTask));
    count = __shfl_sync(kAll, up_to, tasks - 1);
    before = up_to - mine;
  }
};

}  // namespace cats::cuda
