// SPDX-License-Identifier: MIT
// A launch that is judged by its own return code, not by an error that an earlier call left behind.
#pragma once
#include <cuda_runtime.h>

namespace cats::cuda {

struct LaunchShape {
  dim3 blocks;
  unsigned threads;
  bool overlap = false;  // it may start when all blocks of the kernel before it have called AllowNextKernel
  size_t shared_bytes = 0;
};

template <class... Parameters>
cudaError_t Launch(void (*kernel)(Parameters...), const LaunchShape& shape, cudaStream_t stream,
                   Parameters... arguments) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = shape.blocks;
  config.blockDim = dim3(shape.threads);
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = shape.overlap ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

// Before launches with more than 48 KB of dynamic shared memory; loads the kernel's code too.
template <class Kernel>
cudaError_t LoadKernelWithShared(Kernel* kernel, size_t shared_bytes) {
  const auto* function = reinterpret_cast<const void*>(kernel);
  const cudaError_t error = cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                 static_cast<int>(shared_bytes));
  if (error != cudaSuccess) return error;
  return cudaFuncSetAttribute(function, cudaFuncAttributePreferredSharedMemoryCarveout,
                              cudaSharedmemCarveoutMaxShared);
}

// Loads a kernel's code, so that no launch does it.
template <class Kernel>
cudaError_t LoadKernel(Kernel* kernel) {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(kernel));
}

}  // namespace cats::cuda
