// SPDX-License-Identifier: MIT
// A launch that is judged by its own return code, not by an error that an earlier call left behind.
#pragma once
#include <cuda_runtime.h>

namespace cats::cuda {

template <class... Parameters>
cudaError_t Launch(void (*kernel)(Parameters...), dim3 blocks, unsigned threads, cudaStream_t stream,
                   Parameters... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = dim3(threads);
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

// Loads a kernel's code, so that no launch does it.
template <class Kernel>
cudaError_t LoadKernel(Kernel* kernel) {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(kernel));
}

}  // namespace cats::cuda
