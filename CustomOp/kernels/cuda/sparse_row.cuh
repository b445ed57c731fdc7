// SPDX-License-Identifier: MIT
// One or two rows of SparseGatedMlp in one cooperative launch, one block per multiprocessor (sm_90).
// docs/decisions/0010-cuda-one-row.md says how it works and what else was tried.
#pragma once
#include "kernels/cuda/sparse_row_planner.cuh"
#include "kernels/cuda/sparse_row_worker.cuh"

namespace cats::cuda {

// The sums of the block's warps go to the blocks of the slab that finish these columns, some groups of 4
// each.
template <class T, int Hidden, int Rows>
__device__ __forceinline__ void FinishColumns(const SparseRowArgs& args, const BlockPlace& place,
                                              const SparseRowExchange& exchange,
                                              SparseRowShared<T, Hidden, Rows>& s, int group_begin,
                                              int groups) {
  using Size = RowSize<T, Hidden>;
  constexpr int kAllWarps = Size::kWarps + 2;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const auto parts = [&](int k) {  // [position, kGroups]
    return reinterpret_cast<Words*>(args.exchange + exchange.parts) +
           (k * kSlabs + place.slab) * exchange.max_positions * Size::kGroups;
  };
#pragma unroll
  for (int k = 0; k < Rows; ++k) {
    for (int q = threadIdx.x; q < Size::kGroups; q += kAllWarps * 32) {
      float4 v = s.Sums(0, k)[q];
#pragma unroll
      for (int w = 1; w < Size::kWarps; ++w) {
        const float4 other = s.Sums(w, k)[q];
        v.x += other.x, v.y += other.y, v.z += other.z, v.w += other.w;
      }
      Send(parts(k) + place.position * Size::kGroups + q,
           {Sendable(v.x), Sendable(v.y), Sendable(v.z), Sendable(v.w)});
    }
  }
  // A warp takes 4 positions at a time and 8 groups of a row; the order of the sum is fixed.
  auto* of_warps = reinterpret_cast<float4*>(s.x[0]);  // [Rows * groups, kAllWarps]
  static_assert((Rows * (Size::kGroups / (kMinBlocks / kSlabs) + 1) + 8) * kAllWarps * 16 <=
                Rows * Size::kBytes);
  const int of_rows = Rows * groups;
  for (int q = lane % 8; q < (of_rows + 7) / 8 * 8; q += 8) {
    float4 v = {0.0f, 0.0f, 0.0f, 0.0f};
    if (q < of_rows) {
      const int k = Rows > 1 && q >= groups ? 1 : 0;
      Words* const column = parts(k) + group_begin + q - k * groups;
      for (int p = warp * 4 + lane / 8; p < place.positions; p += kAllWarps * 4) {
        Words* cell = column + p * Size::kGroups;
        Words w = Peek(cell);
        while (!IsFull(w)) w = Peek(cell);
        Send(cell, {kEmpty, kEmpty, kEmpty, kEmpty});
        v.x += __uint_as_float(w.x), v.y += __uint_as_float(w.y);
        v.z += __uint_as_float(w.z), v.w += __uint_as_float(w.w);
      }
    }
#pragma unroll
    for (int distance = 8; distance < 32; distance *= 2) {
      v.x += __shfl_xor_sync(kAll, v.x, distance);
      v.y += __shfl_xor_sync(kAll, v.y, distance);
      v.z += __shfl_xor_sync(kAll, v.z, distance);
      v.w += __shfl_xor_sync(kAll, v.w, distance);
    }
    if (lane < 8) of_warps[q * kAllWarps + warp] = v;
  }
  __syncthreads();
  for (int c = threadIdx.x; c < of_rows * 4; c += kAllWarps * 32) {
    const float* of_warp = reinterpret_cast<const float*>(of_warps + c / 4 * kAllWarps) + c % 4;
    float v = of_warp[0];
#pragma unroll
    for (int w = 1; w < kAllWarps; ++w) v += of_warp[w * 4];
    const int k = Rows > 1 && c >= groups * 4 ? 1 : 0;
    const int column = place.slab * Size::kSlabColumns + group_begin * 4 + c - k * groups * 4;
    if (args.down_bias != nullptr)
      v = __fadd_rn(v, T::ToFloat(static_cast<const T*>(args.down_bias)[column]));
    static_cast<T*>(args.y)[k * Hidden + column] = T::FromFloat(v);
  }
}

// s.x by the first kNormThreads threads of each block: every block needs all of it, and while its first gate
// rows are on their way it has the time. One block writes the sum. Waits for the kernel before.
template <class T, int Hidden, int Rows>
__device__ __forceinline__ void NormalizeX(const SparseRowArgs& args, bool writes_sum,
                                           SparseRowShared<T, Hidden, Rows>& s) {
  constexpr int kGroups = RowSize<T, Hidden>::kBytes / 16;
  static_assert(kGroups % kNormThreads == 0);
  constexpr int kPerThread = kGroups / kNormThreads;
  uint4 sum[Rows][kPerThread], skip[Rows][kPerThread], weight[kPerThread];
#pragma unroll
  for (int g = 0; g < kPerThread; ++g) {
    weight[g] = static_cast<const uint4*>(args.norm_weight)[g * kNormThreads + threadIdx.x];
  }
  WaitForPreviousKernel();
  const float epsilon = *args.norm_epsilon;
#pragma unroll
  for (int k = 0; k < Rows; ++k) {
#pragma unroll
    for (int g = 0; g < kPerThread; ++g) {
      const int q = g * kNormThreads + threadIdx.x;
      sum[k][g] = static_cast<const uint4*>(args.x)[k * kGroups + q];
      skip[k][g] = static_cast<const uint4*>(args.skip)[(args.skip_per_row ? k * kGroups : 0) + q];
    }
  }
#pragma unroll
  for (int k = 0; k < Rows; ++k) {
    float squares = 0.0f;
#pragma unroll
    for (int g = 0; g < kPerThread; ++g) sum[k][g] = SumOf<T>(sum[k][g], skip[k][g], squares);
    const float inverse = InverseNorm(squares, static_cast<float>(Hidden), epsilon, s.norm_squares[k]);
#pragma unroll
    for (int g = 0; g < kPerThread; ++g) {
      reinterpret_cast<uint4*>(s.x[k])[g * kNormThreads + threadIdx.x] =
          Normalized<T>(sum[k][g], inverse, weight[g]);
    }
  }
  if (!writes_sum) return;
#pragma unroll
  for (int k = 0; k < Rows; ++k) {
#pragma unroll
    for (int g = 0; g < kPerThread; ++g) {
      static_cast<uint4*>(args.sum)[k * kGroups + g * kNormThreads + threadIdx.x] = sum[k][g];
    }
  }
}

template <class T, int Hidden, int Rows>
__global__ void __launch_bounds__((RowSize<T, Hidden>::kWarps + 2) * 32, 1)
    SparseRow(const SparseRowArgs args) {
#if defined(CATS_SM90)
  using Size = RowSize<T, Hidden>;
  constexpr int kWarps = Size::kWarps;
  auto& s = DynamicShared<SparseRowShared<T, Hidden, Rows>>();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const BlockPlace place(gridDim.x, blockIdx.x, args.share, args.extra);
  const SparseRowExchange exchange(place.blocks, args.intermediate, Hidden, Rows);
  const int first = place.FirstOf(place.block), neurons = place.NeuronsOf(place.block);
  RowWorker<T, Hidden, Rows> worker(args, place, exchange, s, warp, lane);
  AllowNextKernel();
  if (warp < kWarps) {
    worker.Start();  // before anything else
    if (args.skip != nullptr && threadIdx.x < kNormThreads) {
      NormalizeX<T, Hidden, Rows>(args, place.block == 0 && args.sum != nullptr, s);
    } else {
      WaitForPreviousKernel();
    }
    for (int r = threadIdx.x; r < kMaxNeuronsPerBlock; r += kWarps * 32) s.found[r] = ~0ull;
  } else {
    if (threadIdx.x == kWarps * 32) {
      BarrierInit(&s.x_full);
      BarrierInitFence();
      s.gate_next = kWarps;
      s.found_next = s.found_count = s.decided = s.prefetched = s.down_planned = s.h_ready = 0;
      s.down_rows = -1;
      for (int k = 0; k < Rows; ++k) s.kept_by[k] = 0;
    }
    if (lane < kMaskWords) s.own_mask[lane] = 0;
    WaitForPreviousKernel();
    if (threadIdx.x == kWarps * 32 && args.skip == nullptr) {
      BarrierExpect(&s.x_full, Rows * Size::kBytes);
      BulkCopy(s.x, args.x, Rows * Size::kBytes, &s.x_full, worker.policy);
    }
    for (int r = threadIdx.x - kWarps * 32; r < neurons; r += 64) {
      const int i = first + r;
#pragma unroll
      for (int k = 0; k < Rows; ++k) {
        const float scale =
            args.threshold_scale == nullptr ? 1.0f : args.threshold_scale[args.scale_per_row ? k : 0];
        s.threshold_bits[k][r] = ThresholdBits(args.threshold[args.threshold_per_neuron ? i : 0], scale);
      }
      s.gate_bias[r] =
          args.gate_bias == nullptr ? 0.0f : T::ToFloat(static_cast<const T*>(args.gate_bias)[i]);
      s.up_bias[r] = args.up_bias == nullptr ? 0.0f : T::ToFloat(static_cast<const T*>(args.up_bias)[i]);
    }
  }
  const auto group = [&](int p) {
    return static_cast<int>(static_cast<uint32_t>(Size::kGroups * p) /
                            static_cast<uint32_t>(place.positions));
  };
  const int group_begin = group(place.position), groups = group(place.position + 1) - group_begin;
  __syncthreads();
  if (warp < kWarps) {
    worker.Run();
  } else {
    RowPlanner<T, Hidden, Rows> planner{args, place, exchange, s, lane};
    if (warp == kWarps)
      planner.Run();
    else
      planner.Collect();
  }
  __syncthreads();
  FinishColumns<T, Hidden, Rows>(args, place, exchange, s, group_begin, groups);
#endif
}

}  // namespace cats::cuda
