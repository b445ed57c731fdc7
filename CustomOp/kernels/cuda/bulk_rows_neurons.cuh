// SPDX-License-Identifier: MIT
// The first kernel for several rows with its rows fetched by bulk copies (sm_90, 16-bit formats): one block
// per multiprocessor, a fixed part of the neurons each. Eight warps own an eighth of the columns, x's part of
// them in registers; a task is 8 neurons. Gate tasks first; a ninth warp adds up the warps' parts, decides
// and lists what is kept, and lists of 8 become the up tasks: so gate rows hide the decisions.
#pragma once
#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/exchange.cuh"
#include "kernels/cuda/sparse_rows.cuh"

namespace cats::cuda {

constexpr int kBulkWarps = 8;
constexpr int kTask = 8;       // neurons
constexpr int kPartSlots = 4;  // tasks whose parts wait for the ninth warp
constexpr int kAskBytes = 96 * 1024;

template <int Hidden>
struct BulkSize {
  static constexpr int kBytes = Hidden * 2 / kBulkWarps;  // of a row's part
  static constexpr int kChunks = kBytes / 64;             // 16 bytes for each of 4 lanes
  static constexpr int kRowBytes = kBytes + 64;           // 2 rows in a row lie in other banks
  static constexpr int kStageBytes = kTask * kRowBytes;
  static constexpr int kFit = 209 * 1024 / (kBulkWarps * kStageBytes);
  static constexpr int kStages = kFit < 4 ? kFit : 4;
  static_assert(kBytes % 64 == 0 && kRowBytes % 128 == 64 && kStages >= 2);
};

template <int Hidden>
struct BulkNeuronsShared {
  using Size = BulkSize<Hidden>;
  alignas(128) unsigned char ring[kBulkWarps][Size::kStages][Size::kStageBytes];
  alignas(16) float parts[kPartSlots][kBulkWarps][kTask * kRowGroup];  // [neuron, row]
  // The neurons that any row keeps, in order of discovery.
  float a[kMaxBulkNeurons][kRowGroup];
  uint16_t neuron[kMaxBulkNeurons];  // of the block
  uint8_t rows[kMaxBulkNeurons];     // bit r: row r keeps it
  uint64_t full[kBulkWarps][Size::kStages];
  uint64_t filled[kPartSlots], taken[kPartSlots];
  int found;     // entries that are there
  int complete;  // 1: there will be no more
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

template <class T, int Hidden>
struct BulkWorker {
  using Size = BulkSize<Hidden>;
  enum Next { kIssued, kNotYet, kNever };

  const GatedMlpArgs& args;
  const BulkBlock& block;
  BulkNeuronsShared<Hidden>& s;
  const int warp, lane;
  const uint64_t policy = EvictFirst();
  int issued = 0, done = 0;

  __device__ Next Issue() {
    const bool is_gate = issued < block.gates;
    const int begin = (is_gate ? issued : issued - block.gates) * kTask;
    int count = block.neurons - begin;
    if (!is_gate) {
      count = -1;
      if (lane == 0) {
        const bool complete = Load(s.complete) != 0;
        Fence();
        const int there = Load(s.found) - begin;
        if (complete || there >= kTask) count = max(there, 0);
      }
      count = __shfl_sync(kAll, count, 0);
      if (count < 0) return kNotYet;
      if (count == 0) return kNever;
      Fence();
    }
    count = min(count, kTask);
    const int stage = issued % Size::kStages;
    uint64_t* barrier = &s.full[warp][stage];
    if (lane == 0) BarrierExpect(barrier, count * Size::kBytes);
    __syncwarp();
    if (lane < count) {
      const int row = is_gate ? begin + lane : s.neuron[begin + lane];
      const auto* matrix = static_cast<const unsigned char*>(is_gate ? args.gate : args.up);
      BulkCopy(s.ring[warp][stage] + lane * Size::kRowBytes,
               matrix + (block.first + row) * (Hidden * 2) + warp * Size::kBytes, Size::kBytes, barrier,
               policy);
    }
    ++issued;
    return kIssued;
  }

  // B: 8 neurons; A: the rows of x, its lower half 0.
  __device__ void Multiply(const uint4 (&x)[Size::kChunks]) {
    const int stage = done % Size::kStages, slot = done % kPartSlots, g = lane >> 2, t = lane & 3;
    BarrierWait(&s.full[warp][stage], (done / Size::kStages) & 1);
    const auto* row = reinterpret_cast<const uint4*>(s.ring[warp][stage] + g * Size::kRowBytes) + t;
    constexpr int kBatch = 4;
    static_assert(Size::kChunks % kBatch == 0);
    uint4 w[2][kBatch];
    float sum[4][4] = {};
    const auto load = [&](int begin, uint4(&batch)[kBatch]) {
#pragma unroll
      for (int c = 0; c < kBatch; ++c) batch[c] = row[(begin + c) * 4];
      asm volatile("" ::: "memory");  // no batch more ahead: x leaves no registers for it
    };
    load(0, w[0]);
#pragma unroll
    for (int begin = 0; begin < Size::kChunks; begin += kBatch) {
      if (begin + kBatch < Size::kChunks) load(begin + kBatch, w[(begin / kBatch + 1) % 2]);
#pragma unroll
      for (int c = 0; c < kBatch; ++c) {
        const uint4 &v = w[begin / kBatch % 2][c], &of_x = x[begin + c];
        MatrixFma(T{}, sum[c % 2 * 2], make_uint4(of_x.x, 0, of_x.y, 0), v.x, v.y);
        MatrixFma(T{}, sum[c % 2 * 2 + 1], make_uint4(of_x.z, 0, of_x.w, 0), v.z, v.w);
      }
    }
    if (done >= kPartSlots) BarrierWait(&s.taken[slot], (done / kPartSlots - 1) & 1);
    float* parts = s.parts[slot][warp];
    parts[2 * t * kRowGroup + g] = (sum[0][0] + sum[1][0]) + (sum[2][0] + sum[3][0]);
    parts[(2 * t + 1) * kRowGroup + g] = (sum[0][1] + sum[1][1]) + (sum[2][1] + sum[3][1]);
    __syncwarp();
    if (lane == 0) BarrierArrive(&s.filled[slot]);
    ++done;
  }

  __device__ void Run(const uint4 (&x)[Size::kChunks]) {
    for (Next next = kIssued; next != kNever || done < issued;) {
      next = kIssued;
      while (issued < done + Size::kStages && next == kIssued) next = Issue();
      if (done < issued) {
        Multiply(x);
      } else if (next == kNotYet) {
        __nanosleep(20);
      }
    }
  }
};

// The ninth warp. Lane 8m + r has row r of neurons m and m + 4 of a task.
template <class T, int Hidden>
struct BulkDecider {
  const GatedMlpArgs& args;
  const BulkBlock& block;
  BulkNeuronsShared<Hidden>& s;
  const int lane, count;  // rows of the group
  const int64_t first_row;
  uint8_t* kept;
  uint16_t* h;  // HTerms
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

  __device__ float Bias(const void* bias, bool present, int64_t i) {
    return bias != nullptr && present ? T::ToFloat(static_cast<const T*>(bias)[i]) : 0.0f;
  }

  // While the last up rows arrive, and until the second kernel's own loads do, memory has time left: L2 is
  // asked for some down rows of what is kept. H100, Llama-2-7B float16, 2 rows at 0 / 50 / 90%: 105.7 / 92.3
  // / 64.8 -> 100.2 / 88.1 / 61.5 us; 64 or 128 KB the same, 200 KB 102.1 / 90.2 / 62.1.
  __device__ void AskForDown(int found) {
    const auto* down = static_cast<const unsigned char*>(args.down);
    for (int entry = lane; entry < min(found, kAskBytes / (Hidden * 2)); entry += 32) {
      BulkPrefetch(down + (block.first + s.neuron[entry]) * (Hidden * 2), Hidden * 2);
    }
  }

  __device__ void Run() {
    const int m = lane / kRowGroup, r = lane % kRowGroup;
    const float scale = args.threshold_scale == nullptr || r >= count
                            ? 1.0f
                            : args.threshold_scale[args.scale_per_row ? first_row + r : 0];
    int found = 0;
    while (task < block.gates) {
      const int begin = task * kTask;
      uint32_t threshold[2];
      float bias[2], total[2];
#pragma unroll
      for (int half = 0; half < 2; ++half) {  // before the wait
        const int n = begin + half * 4 + m;
        const int64_t i = block.first + n;
        threshold[half] = ThresholdBits(
            n < block.neurons ? args.threshold[args.threshold_per_neuron ? i : 0] : 0.0f, scale);
        bias[half] = Bias(args.gate_bias, n < block.neurons, i);
      }
      Take(total);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int n = begin + half * 4 + m;
        const int64_t i = block.first + n;
        const float biased = args.gate_bias == nullptr ? total[half] : __fadd_rn(total[half], bias[half]);
        const float a = Rounded(T{}, Silu(Rounded(T{}, biased)));
        const bool keeps = n < block.neurons && r < count && IsKept(a, threshold[half]);
        const uint32_t votes = __ballot_sync(kAll, keeps);
        const uint32_t rows = votes >> (m * kRowGroup) & 0xffu;
        const uint32_t any = (votes & 0xffu ? 1u : 0u) | (votes & 0xff00u ? 2u : 0u) |
                             (votes & 0xff0000u ? 4u : 0u) | (votes & 0xff000000u ? 8u : 0u);
        if (rows != 0u) {
          const int entry = found + __popc(any & ((1u << m) - 1u));
          s.a[entry][r] = a;
          if (r == 0) {
            s.neuron[entry] = static_cast<uint16_t>(n);
            s.rows[entry] = static_cast<uint8_t>(rows);
          }
        }
        found += __popc(any);
        if (n < block.neurons) {
          if (r == 0) kept[i] = static_cast<uint8_t>(rows);
          if (!keeps) HTerms<T>::Store(h, i, r, 0.0f);
        }
      }
      __syncwarp();
      Fence();
      if (lane == 0) Store(s.found, found);
    }
    __syncwarp();
    Fence();
    if (lane == 0) Store(s.complete, 1);
    bool asked = false;
    for (int begin = 0; begin < found; begin += kTask) {
      float bias[2], total[2];
      if (!asked && begin + 2 * kTask >= found) {
        AskForDown(found);
        asked = true;
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int entry = begin + half * 4 + m;
        bias[half] = entry < found ? Bias(args.up_bias, true, block.first + s.neuron[entry]) : 0.0f;
      }
      Take(total);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int entry = begin + half * 4 + m;
        if (entry >= found || (s.rows[entry] >> r & 1u) == 0u) continue;
        const float up = args.up_bias == nullptr ? total[half] : __fadd_rn(total[half], bias[half]);
        HTerms<T>::Store(h, block.first + s.neuron[entry], r, __fmul_rn(s.a[entry][r], up));
      }
    }
  }
};

template <class T, int Hidden>
__global__ void __launch_bounds__((kBulkWarps + 1) * 32, 1)
    BulkRowsNeurons(const GatedMlpArgs args, const RowGroup group) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  using Size = BulkSize<Hidden>;
  extern __shared__ __align__(128) unsigned char shared_bytes[];
  auto& s = *reinterpret_cast<BulkNeuronsShared<Hidden>*>(shared_bytes);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const BulkBlock block(args.intermediate);
  AllowNextKernel();
  if (warp == kBulkWarps) {
    if (lane < kPartSlots) {
      BarrierInit(&s.filled[lane], kBulkWarps);
      BarrierInit(&s.taken[lane]);
      BarrierInitFence();
    }
    if (lane == 0) s.found = s.complete = 0;
    const SparseRowsScratch at(false, group.count, args.intermediate, Hidden);
    auto* scratch = static_cast<uint32_t*>(args.scratch);
    auto* kept = reinterpret_cast<uint8_t*>(scratch + at.kept);
    auto* h = reinterpret_cast<uint16_t*>(scratch + at.h);
    // Behind the last neuron.
    const int64_t behind = args.intermediate + lane;
    if (blockIdx.x == 0 && behind < at.tiles * kRowsTile) {
      kept[behind] = 0;
      for (int r = 0; r < kRowGroup; ++r) HTerms<T>::Store(h, behind, r, 0.0f);
    }
    __syncthreads();
    BulkDecider<T, Hidden>{args, block, s, lane, group.count, group.first, kept, h}.Run();
    return;
  }
  BulkWorker<T, Hidden> worker{args, block, s, warp, lane};
  if (lane < Size::kStages) {
    BarrierInit(&s.full[warp][lane]);
    BarrierInitFence();
  }
  __syncwarp();
  while (worker.issued < min(Size::kStages, block.gates)) worker.Issue();
  uint4 x[Size::kChunks];
  const int g = lane >> 2, t = lane & 3;
  const auto* row =
      reinterpret_cast<const uint4*>(static_cast<const T*>(args.x) + (group.first + g) * Hidden) +
      warp * (Size::kBytes / 16) + t;
#pragma unroll
  for (int c = 0; c < Size::kChunks; ++c) {
    x[c] = g < group.count ? __ldg(row + c * 4) : make_uint4(0, 0, 0, 0);
  }
  __syncthreads();
  worker.Run(x);
#endif
}

}  // namespace cats::cuda
