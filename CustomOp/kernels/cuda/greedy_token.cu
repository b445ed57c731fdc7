// SPDX-License-Identifier: MIT
// A block of each row finds its highest logit: a vocabulary of 32,000 float16 logits is 64 KB, about 3 us.
#include "kernels/cuda/greedy_token.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/on_device.h"

namespace cats::cuda {
namespace {

constexpr unsigned kThreads = 1024;
constexpr uint32_t kNaNOrder = 0xffffffffu;

// Floats in their order as unsigned integers, NaN above all; then the lowest id of equals.
__device__ __forceinline__ uint64_t Key(float logit, int64_t id) {
  const uint32_t bits = __float_as_uint(logit);
  const uint32_t order = (bits & 0x7fffffffu) > 0x7f800000u ? kNaNOrder
                         : (bits >> 31) != 0u               ? ~bits
                                                            : bits | 0x80000000u;
  return static_cast<uint64_t>(order) << 32 | (0xffffffffu - static_cast<uint32_t>(id));
}

__device__ __forceinline__ void Put(const IntegerTensor& tensor, int64_t at, int64_t value) {
  if (tensor.data == nullptr) return;
  if (tensor.element_bytes == 8) {
    static_cast<int64_t*>(tensor.data)[at] = value;
  } else {
    static_cast<int32_t*>(tensor.data)[at] = static_cast<int32_t>(value);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) ChooseGreedy(const GreedyTokenArgs args) {
  __shared__ uint64_t warps[kThreads / 32];
  const int64_t row = blockIdx.x;
  const auto* logits = static_cast<const T*>(args.logits) + row * args.logits_stride;
  uint64_t best = 0;
#pragma unroll 8
  for (int64_t id = threadIdx.x; id < args.vocabulary; id += kThreads) {
    best = max(best, Key(T::ToFloat(logits[id]), id));
  }
  for (int distance = 16; distance > 0; distance /= 2) {
    best = max(best, __shfl_xor_sync(0xffffffffu, best, distance));
  }
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = best;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  best = warps[threadIdx.x];
  for (int distance = 16; distance > 0; distance /= 2) {
    best = max(best, __shfl_xor_sync(0xffffffffu, best, distance));
  }
  if (threadIdx.x != 0) return;
  const auto id = static_cast<int32_t>(0xffffffffu - static_cast<uint32_t>(best));
  args.token[row] = static_cast<uint32_t>(best >> 32) == kNaNOrder ? -1 - id : id;
  Put(args.input_ids, row, id);
  Put(args.position_ids, row, args.position);
  Put(args.attention_mask, row * args.mask_stride + args.position, 1);
}

}  // namespace

int LoadGreedyToken(DType dtype, int device) {
  return OnDevice(device, [&]() -> int {
    return WithFormat(dtype, [&]<class T>(T) { return LoadKernel(ChooseGreedy<T>); });
  });
}

int LaunchGreedyToken(DType dtype, const GreedyTokenArgs& args, int device, CUstream_st* stream) {
  if (args.rows == 0) return cudaSuccess;
  return OnDevice(device, [&]() -> int {
    return WithFormat(dtype, [&]<class T>(T) {
      return Launch(ChooseGreedy<T>, {dim3(static_cast<unsigned>(args.rows)), kThreads}, stream, args);
    });
  });
}

}  // namespace cats::cuda
