// SPDX-License-Identifier: MIT
// CatsThreshold and GateObserver: plain kernels over all elements.
#include <algorithm>

#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/decision.h"

namespace cats::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int64_t kMaxBlocksOfLoop = 2048;  // the rest by loops over the grid

unsigned BlocksFor(int64_t elements) {
  return static_cast<unsigned>(
      std::clamp<int64_t>((elements + kThreads - 1) / kThreads, 1, kMaxBlocksOfLoop));
}

__device__ __forceinline__ int64_t Thread() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ int64_t Threads() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

template <class T>
__global__ void __launch_bounds__(kThreads) ThresholdAll(const CatsThresholdArgs args) {
  const auto* x = static_cast<const T*>(args.x);
  auto* y = static_cast<T*>(args.y);
  const int64_t elements = args.rows * args.width;
  for (int64_t at = Thread(); at < elements; at += Threads()) {
    const int64_t row = at / args.width;
    const float scale =
        args.threshold_scale == nullptr ? 1.0f : args.threshold_scale[args.scale_per_row ? row : 0];
    const float threshold = args.threshold[args.threshold_per_neuron ? at - row * args.width : 0];
    const T value = x[at];
    y[at] = IsKept(T::ToFloat(value), ThresholdBits(threshold, scale)) ? value : T{};
  }
}

__device__ __forceinline__ bool IsCounted(const GateObserverArgs& args, int64_t row) {
  return args.mask == nullptr || args.mask[row] != 0;
}

template <class T>
__global__ void __launch_bounds__(kThreads) CountBins(const GateObserverArgs args) {
  const auto* a = static_cast<const T*>(args.a);
  auto* counts = reinterpret_cast<unsigned long long*>(args.counts);
  const int64_t elements = args.rows * args.width;
  for (int64_t at = Thread(); at < elements; at += Threads()) {
    const int64_t row = at / args.width;
    if (!IsCounted(args, row)) continue;
    const float weight = args.weight == nullptr ? 1.0f : args.weight[at - row * args.width];
    atomicAdd(counts + GateBin(T::ToFloat(a[at]), weight), 1ull);
  }
}

// One thread per neuron; the first block counts the tokens.
template <class T>
__global__ void __launch_bounds__(kThreads) SumUp(const GateObserverArgs args) {
  const auto* u = static_cast<const T*>(args.u);
  for (int64_t i = Thread(); i < args.width; i += Threads()) {
    double sum = 0.0;
    for (int64_t row = 0; row < args.rows; ++row) {
      if (IsCounted(args, row)) sum += static_cast<double>(fabsf(T::ToFloat(u[row * args.width + i])));
    }
    args.up_abs_sum[i] = sum;
  }
  if (blockIdx.x == 0) {
    __shared__ unsigned long long tokens;
    if (threadIdx.x == 0) tokens = 0;
    __syncthreads();
    unsigned long long mine = 0;
    for (int64_t row = threadIdx.x; row < args.rows; row += kThreads) mine += IsCounted(args, row) ? 1 : 0;
    atomicAdd(&tokens, mine);
    __syncthreads();
    if (threadIdx.x == 0) *args.tokens = static_cast<int64_t>(tokens);
  }
}

template <class T>
cudaError_t Load() {
  cudaError_t error = LoadKernel(ThresholdAll<T>);
  if (error == cudaSuccess) error = LoadKernel(CountBins<T>);
  if (error == cudaSuccess) error = LoadKernel(SumUp<T>);
  return error;
}

template <class T>
cudaError_t Observe(const GateObserverArgs& args, void* passed, cudaStream_t stream) {
  const int64_t elements = args.rows * args.width;
  cudaError_t error = cudaMemsetAsync(args.counts, 0, kGateBins * sizeof(int64_t), stream);
  if (error == cudaSuccess && elements > 0) {
    error = Launch(CountBins<T>, {dim3(BlocksFor(elements)), kThreads}, stream, args);
  }
  if (error == cudaSuccess) error = Launch(SumUp<T>, {dim3(BlocksFor(args.width)), kThreads}, stream, args);
  if (error == cudaSuccess && elements > 0 && passed != args.a) {
    error = cudaMemcpyAsync(passed, args.a, static_cast<size_t>(elements) * sizeof(T),
                            cudaMemcpyDeviceToDevice, stream);
  }
  return error;
}

}  // namespace

int LoadElementwise(DType dtype) {
  return WithFormat(dtype, [&]<class T>(T) { return Load<T>(); });
}

int LaunchCatsThreshold(DType dtype, const CatsThresholdArgs& args, CUstream_st* stream) {
  const int64_t elements = args.rows * args.width;
  if (elements == 0) return cudaSuccess;
  return WithFormat(dtype, [&]<class T>(T) {
    return Launch(ThresholdAll<T>, {dim3(BlocksFor(elements)), kThreads}, stream, args);
  });
}

int LaunchGateObserver(DType dtype, const GateObserverArgs& args, void* passed, CUstream_st* stream) {
  return WithFormat(dtype, [&]<class T>(T) { return Observe<T>(args, passed, stream); });
}

}  // namespace cats::cuda
