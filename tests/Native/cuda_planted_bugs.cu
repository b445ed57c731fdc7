// SPDX-License-Identifier: MIT
// Two bugs on purpose, one an argument: a write behind an array ("bounds") and a race in shared memory
// ("race"). compute-sanitizer must report each, else its silence about our kernels says nothing.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstring>

namespace {

__global__ void WritesBehind(int* p /* [32] */) { p[threadIdx.x + 1] = static_cast<int>(threadIdx.x); }

// Warp 1 reads what warp 0 writes, without a barrier between them.
__global__ void Races(int* p /* [32] */) {
  __shared__ volatile int shared[32];
  if (threadIdx.x < 32) shared[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (threadIdx.x >= 32) p[threadIdx.x - 32] = shared[63 - threadIdx.x];
}

}  // namespace

int main(int argc, char** argv) {
  int* p = nullptr;
  if (argc != 2 || cudaMalloc(&p, 32 * sizeof(int)) != cudaSuccess) return 2;
  if (std::strcmp(argv[1], "bounds") == 0) WritesBehind<<<1, 32>>>(p);
  if (std::strcmp(argv[1], "race") == 0) Races<<<1, 64>>>(p);
  std::printf("%s: %s\n", argv[1], cudaGetErrorName(cudaDeviceSynchronize()));
  return 0;
}
