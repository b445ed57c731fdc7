// SPDX-License-Identifier: MIT
// One row of SparseGatedMlp for every size, alignment and device: three plain kernels, all sums in fixed
// order.
#pragma once
#include <cstdint>

#include "kernels/cuda/row_math.cuh"
#include "kernels/cuda/sparse_row.h"
#include "kernels/decision.h"
#include "kernels/silu.h"

namespace cats::cuda {

template <class T>
__device__ __forceinline__ float PlainDot(const T* row, const T* x, int64_t size, int lane) {
  float sum = 0.0f;
  for (int64_t j = lane; j < size; j += 32) sum = fmaf(T::ToFloat(row[j]), T::ToFloat(x[j]), sum);
  return SumOfWarp(sum);
}

// One warp per neuron: decision and h.
template <class T>
__global__ void __launch_bounds__(256) GeneralNeurons(const SparseRowArgs args) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * 8 + threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  if (i >= args.intermediate) return;
  const GeneralRowScratch scratch(args.intermediate, args.hidden);
  const auto* x = static_cast<const T*>(args.x);
  float g = PlainDot(static_cast<const T*>(args.gate) + i * args.hidden, x, args.hidden, lane);
  if (args.gate_bias != nullptr) g = __fadd_rn(g, T::ToFloat(static_cast<const T*>(args.gate_bias)[i]));
  const float a = Rounded(T{}, Silu(Rounded(T{}, g)));
  const float scale = args.threshold_scale == nullptr ? 1.0f : *args.threshold_scale;
  const bool kept = IsKept(a, ThresholdBits(args.threshold[args.threshold_per_neuron ? i : 0], scale));
  float h = 0.0f;
  if (kept) {
    h = PlainDot(static_cast<const T*>(args.up) + i * args.hidden, x, args.hidden, lane);
    if (args.up_bias != nullptr) h = __fadd_rn(h, T::ToFloat(static_cast<const T*>(args.up_bias)[i]));
    h = __fmul_rn(a, h);
  }
  if (lane == 0) {
    args.exchange[scratch.h + i] = __float_as_uint(h);
    args.exchange[scratch.kept + i] = kept ? 1u : 0u;
  }
}

// Block (column tile, part): its range of the neurons, kept ones only, one column a thread.
template <class T>
__global__ void __launch_bounds__(kGeneralColumns) GeneralDown(const SparseRowArgs args) {
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kGeneralColumns + threadIdx.x;
  if (column >= args.hidden) return;
  const GeneralRowScratch scratch(args.intermediate, args.hidden);
  const int64_t begin = args.intermediate * blockIdx.y / kGeneralParts;
  const int64_t end = args.intermediate * (blockIdx.y + 1) / kGeneralParts;
  const T* down = static_cast<const T*>(args.down) + column;
  float sum = 0.0f;
  for (int64_t i = begin; i < end; ++i) {
    if (args.exchange[scratch.kept + i] == 0u) continue;
    sum = fmaf(__uint_as_float(args.exchange[scratch.h + i]), T::ToFloat(down[i * args.hidden]), sum);
  }
  args.exchange[scratch.parts + blockIdx.y * args.hidden + column] = __float_as_uint(sum);
}

template <class T>
__global__ void __launch_bounds__(kGeneralColumns) GeneralSum(const SparseRowArgs args) {
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kGeneralColumns + threadIdx.x;
  const GeneralRowScratch scratch(args.intermediate, args.hidden);
  if (blockIdx.x == 0 && threadIdx.x < 32 && args.active != nullptr) {
    int count = 0;
    for (int64_t i = threadIdx.x; i < args.intermediate; i += 32)
      count += static_cast<int>(args.exchange[scratch.kept + i]);
    for (int distance = 16; distance > 0; distance /= 2) count += __shfl_xor_sync(kAll, count, distance);
    if (threadIdx.x == 0) *args.active = count;
  }
  if (column >= args.hidden) return;
  float v = 0.0f;
  for (int part = 0; part < kGeneralParts; ++part) {
    v += __uint_as_float(args.exchange[scratch.parts + part * args.hidden + column]);
  }
  if (args.down_bias != nullptr) v = __fadd_rn(v, T::ToFloat(static_cast<const T*>(args.down_bias)[column]));
  static_cast<T*>(args.y)[column] = T::FromFloat(v);
}

}  // namespace cats::cuda
