// SPDX-License-Identifier: MIT
// What the CUDA benchmarks and the CUDA check share: error checks, random data, a double reference, graph
// timing, the read ceiling.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "formats/dtype.h"
#include "kernels/decision.h"
#include "kernels/silu.h"

#define CHECK(call)                                                                                     \
  do {                                                                                                  \
    const auto status_ = (call);                                                                        \
    if (static_cast<int>(status_) != 0) {                                                               \
      std::printf("%s:%d: %s returned %d (%s)\n", __FILE__, __LINE__, #call, static_cast<int>(status_), \
                  cudaGetErrorString(cudaGetLastError()));                                              \
      std::exit(1);                                                                                     \
    }                                                                                                   \
  } while (0)

namespace cats::bench {

inline cudaStream_t stream;

template <class V>
struct DeviceArray {
  V* data = nullptr;
  size_t size;
  explicit DeviceArray(size_t n) : size(n) { CHECK(cudaMalloc(&data, std::max<size_t>(n, 1) * sizeof(V))); }
  explicit DeviceArray(const std::vector<V>& host) : DeviceArray(host.size()) {
    CHECK(cudaMemcpy(data, host.data(), size * sizeof(V), cudaMemcpyHostToDevice));
  }
  DeviceArray(const DeviceArray&) = delete;
  ~DeviceArray() { CHECK(cudaFree(data)); }
  std::vector<V> Host() const {
    std::vector<V> host(size);
    CHECK(cudaMemcpy(host.data(), data, size * sizeof(V), cudaMemcpyDeviceToHost));
    return host;
  }
};

// About normal, of variance 1: the scaled sum of 4 uniform values.
__device__ inline float Noise(uint64_t index, uint64_t seed) {
  float sum = 0;
  for (int k = 0; k < 4; ++k) {
    uint64_t z = (index * 4 + k + (seed << 40)) * 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    sum += static_cast<float>((z ^ (z >> 31)) >> 40) * (1.0f / 16777216.0f) - 0.5f;
  }
  return sum * 1.7320508f;
}

template <class T>
__global__ void FillKernel(T* p, size_t size, uint64_t seed, float scale) {
  const size_t step = static_cast<size_t>(gridDim.x) * blockDim.x;
  for (size_t i = blockIdx.x * static_cast<size_t>(blockDim.x) + threadIdx.x; i < size; i += step) {
    p[i] = T::FromFloat(Noise(i, seed) * scale);
  }
}

template <class T>
void Fill(T* p, size_t size, uint64_t seed, double scale) {
  FillKernel<<<1024, 256, 0, stream>>>(p, size, seed, static_cast<float>(scale));
  CHECK(cudaPeekAtLastError());
}

// One warp per row: out[row] = x . w[row].
template <class T>
__global__ void ReferenceDot(const T* x, const T* w, double* out, int64_t hidden) {
  double sum = 0;
  for (int64_t k = threadIdx.x; k < hidden; k += 32) {
    sum += static_cast<double>(T::ToFloat(x[k])) * T::ToFloat(w[blockIdx.x * hidden + k]);
  }
  for (int d = 16; d > 0; d /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, d);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

template <class T>
__global__ void ReferenceDown(const double* h, const T* down, double* y, int64_t intermediate,
                              int64_t hidden) {
  const int64_t c = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= hidden) return;
  double sum = 0;
  for (int64_t i = 0; i < intermediate; ++i) {
    if (h[i] != 0) sum += h[i] * T::ToFloat(down[i * hidden + c]);
  }
  y[c] = sum;
}

template <class T>
std::vector<double> Dots(const T* x, const T* w, int64_t hidden, int64_t intermediate) {
  DeviceArray<double> out(intermediate);
  ReferenceDot<<<static_cast<unsigned>(intermediate), 32, 0, stream>>>(x, w, out.data, hidden);
  CHECK(cudaStreamSynchronize(stream));
  return out.Host();
}

template <class T>
std::vector<double> Down(const std::vector<double>& h, const T* down, int64_t hidden) {
  DeviceArray<double> h_device(h), out(hidden);
  ReferenceDown<<<static_cast<unsigned>((hidden + 127) / 128), 128, 0, stream>>>(
      h_device.data, down, out.data, static_cast<int64_t>(h.size()), hidden);
  CHECK(cudaStreamSynchronize(stream));
  return out.Host();
}

template <class T>
float Round(double v) {
  return T::ToFloat(T::FromFloat(static_cast<float>(v)));
}

// Microseconds of one of `launches` launches that body makes, least and median of the replays of their graph.
struct Time {
  double least, median;
};

inline Time TimeGraph(int launches, const std::function<void()>& body) {
  constexpr int kReplays = 25;
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  body();
  CHECK(cudaStreamEndCapture(stream, &graph));
  CHECK(cudaGraphInstantiate(&exec, graph, 0));
  cudaEvent_t begin, end;
  CHECK(cudaEventCreate(&begin));
  CHECK(cudaEventCreate(&end));
  std::vector<double> times;
  for (int k = 0; k < kReplays + 3; ++k) {
    CHECK(cudaEventRecord(begin, stream));
    CHECK(cudaGraphLaunch(exec, stream));
    CHECK(cudaEventRecord(end, stream));
    CHECK(cudaStreamSynchronize(stream));
    float ms;
    CHECK(cudaEventElapsedTime(&ms, begin, end));
    if (k >= 3) times.push_back(ms * 1e3 / launches);
  }
  std::sort(times.begin(), times.end());
  CHECK(cudaGraphExecDestroy(exec));
  CHECK(cudaGraphDestroy(graph));
  return {times[0], times[times.size() / 2]};
}

static __global__ void Read(const uint4* p, size_t size, uint32_t* out) {
  uint32_t x = 0;
  const size_t step = static_cast<size_t>(gridDim.x) * blockDim.x;
  size_t i = blockIdx.x * static_cast<size_t>(blockDim.x) + threadIdx.x;
  for (; i + 7 * step < size; i += 8 * step) {
    uint4 v[8];
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3},[%4];"
                   : "=r"(v[k].x), "=r"(v[k].y), "=r"(v[k].z), "=r"(v[k].w)
                   : "l"(p + i + k * step));
    }
#pragma unroll
    for (int k = 0; k < 8; ++k) x ^= v[k].x ^ v[k].y ^ v[k].z ^ v[k].w;
  }
  if (x == 0x12345678u) *out = x;
}

// TB/s of plain reads of 4 GiB.
inline double Ceiling() {
  const size_t bytes = size_t{4} << 30;
  DeviceArray<F16> data(bytes / 2);
  DeviceArray<uint32_t> out(1);
  Fill(data.data, bytes / 2, 7, 1.0);
  double best = 0;
  for (int blocks : {264, 528, 1056, 2112}) {
    for (int threads : {256, 512}) {
      const Time t = TimeGraph(2, [&] {
        for (int k = 0; k < 2; ++k)
          Read<<<blocks, threads, 0, stream>>>(reinterpret_cast<uint4*>(data.data), bytes / 16, out.data);
      });
      best = std::max(best, bytes / t.least * 1e-6);
    }
  }
  return best;
}

}  // namespace cats::bench
