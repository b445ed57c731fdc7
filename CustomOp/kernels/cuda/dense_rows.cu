// SPDX-License-Identifier: MIT
// Decisions and h of many rows: blocks (row, slice of its neurons).
#include <algorithm>
#include <cstring>

#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/dense_rows.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/row_math.cuh"
#include "kernels/decision.h"
#include "kernels/silu.h"

namespace cats::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int64_t kMaxBlocks = int64_t{1} << 30;  // of one launch, rows
constexpr int64_t kBlocksWanted = 1056;           // 8 for each of 132 multiprocessors

template <class T>
constexpr int kPerThread = 16 / sizeof(T);

// T::FromFloat by the conversion instructions.
template <class T>
__device__ __forceinline__ T Stored(float v) {
  const auto bits = StoredBits(T{}, v);
  static_assert(sizeof bits == sizeof(T));
  T stored;
  memcpy(&stored, &bits, sizeof stored);
  return stored;
}

// Wide: g, u and the rows' length allow 16-byte accesses.
template <class T, bool Wide>
__global__ void __launch_bounds__(kThreads)
    GatedProduct(const GatedMlpArgs args, int64_t first, void* g_all, const void* u_all) {
  constexpr int kWidth = Wide ? kPerThread<T> : 1;
  const int64_t row = first + blockIdx.x;
  T* const g = static_cast<T*>(g_all) + blockIdx.x * args.intermediate;
  const T* const u = static_cast<const T*>(u_all) + blockIdx.x * args.intermediate;
  const auto* up_bias = static_cast<const T*>(args.up_bias);
  int count = 0;
  WaitForPreviousKernel();
  const float scale =
      args.threshold_scale == nullptr ? 1.0f : args.threshold_scale[args.scale_per_row ? row : 0];
  for (int64_t i = (static_cast<int64_t>(blockIdx.y) * kThreads + threadIdx.x) * kWidth;
       i < args.intermediate; i += static_cast<int64_t>(gridDim.y) * kThreads * kWidth) {
    alignas(16) T gates[kWidth], ups[kWidth];
    if constexpr (Wide) {
      *reinterpret_cast<uint4*>(gates) = *reinterpret_cast<const uint4*>(g + i);
      *reinterpret_cast<uint4*>(ups) = *reinterpret_cast<const uint4*>(u + i);
    } else {
      gates[0] = g[i];
      ups[0] = u[i];
    }
#pragma unroll
    for (int e = 0; e < kWidth; ++e) {
      const float a = Rounded(T{}, Silu(Widened(gates[e])));
      const bool keeps =
          IsKept(a, ThresholdBits(args.threshold[args.threshold_per_neuron ? i + e : 0], scale));
      float up = Widened(ups[e]);
      if (up_bias != nullptr) up = __fadd_rn(up, Widened(up_bias[i + e]));
      gates[e] = T{};
      if (keeps) gates[e] = Stored<T>(__fmul_rn(a, up));
      count += keeps ? 1 : 0;
    }
    if constexpr (Wide) {
      *reinterpret_cast<uint4*>(g + i) = *reinterpret_cast<const uint4*>(gates);
    } else {
      g[i] = gates[0];
    }
  }
  if (args.active == nullptr) return;
  __shared__ int counts[kThreads / 32];
  count = __reduce_add_sync(kAll, count);
  if (threadIdx.x % 32 == 0) counts[threadIdx.x / 32] = count;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (unsigned warp = 1; warp < kThreads / 32; ++warp) count += counts[warp];
  // Of integers: the same in any order.
  if (gridDim.y == 1) {
    args.active[row] = count;
  } else {
    atomicAdd(&args.active[row], count);
  }
}

template <class T>
cudaError_t Load() {
  const cudaError_t error = LoadKernel(GatedProduct<T, true>);
  return error == cudaSuccess ? LoadKernel(GatedProduct<T, false>) : error;
}

template <class T>
cudaError_t Run(const DeviceLimits& device, const GatedMlpArgs& args, int64_t first, int64_t count, void* g,
                const void* u, cudaStream_t stream) {
  const auto bits = reinterpret_cast<uintptr_t>(g) | reinterpret_cast<uintptr_t>(u) |
                    static_cast<uintptr_t>(args.intermediate) * sizeof(T);
  // Few rows are cut into slices, so that they fill the device; their counts start from 0.
  const int64_t widest = (args.intermediate + kThreads * kPerThread<T> - 1) / (kThreads * kPerThread<T>);
  const auto slices =
      static_cast<unsigned>(std::clamp<int64_t>(kBlocksWanted / count, 1, std::min<int64_t>(widest, 65535)));
  const bool counted = slices > 1 && args.active != nullptr;
  // It starts while the product before it ends; with counts, after the memset.
  const bool overlap = device.compute_capability >= 90 && !counted;
  if (counted) {
    const cudaError_t error =
        cudaMemsetAsync(args.active + first, 0, static_cast<size_t>(count) * sizeof(int32_t), stream);
    if (error != cudaSuccess) return error;
  }
  const auto kernel = bits % 16 == 0 ? GatedProduct<T, true> : GatedProduct<T, false>;
  for (int64_t done = 0; done < count; done += kMaxBlocks) {
    const auto blocks = static_cast<unsigned>(std::min(kMaxBlocks, count - done));
    const int64_t skipped = done * args.intermediate * static_cast<int64_t>(sizeof(T));
    const cudaError_t error = Launch(kernel, {dim3(blocks, slices), kThreads, overlap}, stream, args,
                                     first + done, static_cast<void*>(static_cast<char*>(g) + skipped),
                                     static_cast<const void*>(static_cast<const char*>(u) + skipped));
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

}  // namespace

int LoadDenseRows(DType dtype) {
  return WithFormat(dtype, [&]<class T>(T) { return Load<T>(); });
}

int LaunchDenseRows(const DeviceLimits& device, DType dtype, const GatedMlpArgs& args, int64_t first,
                    int64_t count, void* g, const void* u, CUstream_st* stream) {
  return WithFormat(dtype, [&]<class T>(T) { return Run<T>(device, args, first, count, g, u, stream); });
}

}  // namespace cats::cuda
