// SPDX-License-Identifier: MIT
// Every block of a full device reads its share of a large array; the sum keeps the loads alive.
#include <algorithm>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/on_device.h"
#include "kernels/cuda/read_ceiling.h"

namespace cats::cuda {
namespace {

constexpr unsigned kThreads = 512;

__global__ void __launch_bounds__(kThreads)
    ReadAll(const uint4* data /* [count] */, int64_t count, uint32_t* never /* [1] */) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  uint32_t sum = 0;
#pragma unroll 8
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; at < count; at += step) {
    const uint4 word = __ldcs(data + at);
    sum += word.x ^ word.y ^ word.z ^ word.w;
  }
  if (sum == 0x9e3779b9u) *never = sum;  // the array is zero
}

int Measure(int device, int64_t bytes, int repeats, double* bytes_per_second) {
  int multiprocessors = 0;
  cudaError_t error = cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
  void* data = nullptr;
  cudaStream_t stream = nullptr;
  cudaEvent_t begin = nullptr, end = nullptr;
  const auto then = [&](auto&& step) {
    if (error == cudaSuccess) error = step();
  };
  then([&] { return cudaMalloc(&data, static_cast<size_t>(bytes) + 16); });
  then([&] { return cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking); });
  then([&] { return cudaEventCreate(&begin); });
  then([&] { return cudaEventCreate(&end); });
  then([&] { return cudaMemsetAsync(data, 0, static_cast<size_t>(bytes) + 16, stream); });
  float least = 0;
  for (int k = 0; k <= repeats && error == cudaSuccess; ++k) {  // the first one warms up
    float milliseconds = 0;
    then([&] { return cudaEventRecord(begin, stream); });
    then([&] {
      return Launch(ReadAll, {dim3(static_cast<unsigned>(multiprocessors) * 4), kThreads}, stream,
                    static_cast<const uint4*>(data), bytes / 16,
                    reinterpret_cast<uint32_t*>(static_cast<char*>(data) + bytes / 16 * 16));
    });
    then([&] { return cudaEventRecord(end, stream); });
    then([&] { return cudaEventSynchronize(end); });
    then([&] { return cudaEventElapsedTime(&milliseconds, begin, end); });
    if (k > 0) least = k == 1 ? milliseconds : std::min(least, milliseconds);
  }
  if (begin != nullptr) cudaEventDestroy(begin);
  if (end != nullptr) cudaEventDestroy(end);
  if (stream != nullptr) cudaStreamDestroy(stream);
  if (data != nullptr) cudaFree(data);
  if (error == cudaSuccess) *bytes_per_second = static_cast<double>(bytes / 16 * 16) / (least * 1e-3);
  return error;
}

}  // namespace

int MeasureReadCeiling(int device, int64_t bytes, int repeats, double* bytes_per_second) {
  return OnDevice(device, [&] { return Measure(device, bytes, repeats, bytes_per_second); });
}

}  // namespace cats::cuda
