// SPDX-License-Identifier: MIT
// The residual addition and RMS norm as a kernel by itself: a block for each row.
#include <algorithm>
#include <cstring>

#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/skip_rms_norm.cuh"
#include "kernels/cuda/skip_rms_norm.h"

namespace cats::cuda {
namespace {

constexpr int64_t kMaxBlocksOfLoop = int64_t{1} << 20;  // the rest by loops over the grid

// 16 bytes of a row of `size` elements from element `first` on; beyond its end zeros, which add no squares.
// Wide: the rows lie at multiples of 16 bytes.
template <class T, bool Wide>
__device__ __forceinline__ uint4 LoadGroup(const T* row, int64_t first, int64_t size) {
  if constexpr (Wide) return *reinterpret_cast<const uint4*>(row + first);
  constexpr int kPerGroup = 16 / sizeof(T);
  alignas(16) T group[kPerGroup] = {};
  for (int e = 0; e < kPerGroup && first + e < size; ++e) group[e] = row[first + e];
  uint4 bits;
  memcpy(&bits, group, sizeof bits);
  return bits;
}

template <class T, bool Wide>
__device__ __forceinline__ void StoreGroup(T* row, int64_t first, int64_t size, const uint4& bits) {
  if constexpr (Wide) {
    *reinterpret_cast<uint4*>(row + first) = bits;
  } else {
    constexpr int kPerGroup = 16 / sizeof(T);
    alignas(16) T group[kPerGroup];
    memcpy(group, &bits, sizeof bits);
    for (int e = 0; e < kPerGroup && first + e < size; ++e) row[first + e] = group[e];
  }
}

// Rows of up to this many groups of a thread stay in its registers: 8192 elements of 16 bits, 4096 of 32.
constexpr int kHeld = 8;

template <class T, bool Wide>
__global__ void __launch_bounds__(kNormThreads) SkipRmsNormRows(const SkipRmsNormArgs args) {
  constexpr int kPerGroup = 16 / sizeof(T);
  constexpr int64_t kStep = kNormThreads * kPerGroup;
  __shared__ float of_warps[kNormWarps];
  const auto* weight = static_cast<const T*>(args.weight);
  const int64_t first = static_cast<int64_t>(threadIdx.x) * kPerGroup;
  AllowNextKernel();
  const float epsilon = *args.epsilon;
  const uint4 none = make_uint4(0, 0, 0, 0);
  uint4 weights[kHeld];
#pragma unroll
  for (int k = 0; k < kHeld; ++k) {
    const int64_t j = first + k * kStep;
    weights[k] = j < args.hidden ? LoadGroup<T, Wide>(weight, j, args.hidden) : none;
  }
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const T* x = static_cast<const T*>(args.x) + row * args.hidden;
    const T* skip = static_cast<const T*>(args.skip) + row % args.skip_rows * args.hidden;
    T* sum = static_cast<T*>(args.sum) + row * args.hidden;
    T* y = static_cast<T*>(args.y) + row * args.hidden;
    // All are asked for before the first is used.
    uint4 held[kHeld], other[kHeld];
#pragma unroll
    for (int k = 0; k < kHeld; ++k) {
      const int64_t j = first + k * kStep;
      held[k] = j < args.hidden ? LoadGroup<T, Wide>(x, j, args.hidden) : none;
      other[k] = j < args.hidden ? LoadGroup<T, Wide>(skip, j, args.hidden) : none;
    }
    float squares = 0.0f;
#pragma unroll
    for (int k = 0; k < kHeld; ++k) held[k] = SumOf<T>(held[k], other[k], squares);
    for (int64_t j = first + kHeld * kStep; j < args.hidden; j += kStep) {
      const uint4 group =
          SumOf<T>(LoadGroup<T, Wide>(x, j, args.hidden), LoadGroup<T, Wide>(skip, j, args.hidden), squares);
      if (args.sum != nullptr) StoreGroup<T, Wide>(sum, j, args.hidden, group);
      StoreGroup<T, Wide>(y, j, args.hidden, group);
    }
    const float inverse = InverseNorm(squares, static_cast<float>(args.hidden), epsilon, of_warps);
#pragma unroll
    for (int k = 0; k < kHeld; ++k) {
      const int64_t j = first + k * kStep;
      if (j >= args.hidden) break;
      StoreGroup<T, Wide>(y, j, args.hidden, Normalized<T>(held[k], inverse, weights[k]));
      if (args.sum != nullptr) StoreGroup<T, Wide>(sum, j, args.hidden, held[k]);
    }
    // Each thread takes up what it stored itself.
    for (int64_t j = first + kHeld * kStep; j < args.hidden; j += kStep) {
      StoreGroup<T, Wide>(y, j, args.hidden,
                          Normalized<T>(LoadGroup<T, Wide>(y, j, args.hidden), inverse,
                                        LoadGroup<T, Wide>(weight, j, args.hidden)));
    }
    NamedBarrier<kNormThreads>();  // of_warps is free again
  }
}

bool IsWide(const SkipRmsNormArgs& args, size_t element) {
  const auto bits = reinterpret_cast<uintptr_t>(args.x) | reinterpret_cast<uintptr_t>(args.skip) |
                    reinterpret_cast<uintptr_t>(args.weight) | reinterpret_cast<uintptr_t>(args.sum) |
                    reinterpret_cast<uintptr_t>(args.y) | static_cast<uintptr_t>(args.hidden) * element;
  return bits % 16 == 0;
}

}  // namespace

int LoadSkipRmsNorm(DType dtype) {
  return WithFormat(dtype, [&]<class T>(T) {
    const cudaError_t error = LoadKernel(SkipRmsNormRows<T, true>);
    return error != cudaSuccess ? error : LoadKernel(SkipRmsNormRows<T, false>);
  });
}

int LaunchSkipRmsNorm(DType dtype, const SkipRmsNormArgs& args, CUstream_st* stream) {
  if (args.rows == 0 || args.hidden == 0) return cudaSuccess;
  const LaunchShape shape = {dim3(static_cast<unsigned>(std::min(args.rows, kMaxBlocksOfLoop))),
                             kNormThreads};
  return WithFormat(dtype, [&]<class T>(T) {
    return IsWide(args, sizeof(T)) ? Launch(SkipRmsNormRows<T, true>, shape, stream, args)
                                   : Launch(SkipRmsNormRows<T, false>, shape, stream, args);
  });
}

}  // namespace cats::cuda
