// SPDX-License-Identifier: MIT
// A launch that is judged by its own return code, not by an error that an earlier call left behind.
#pragma once
#include <cuda_runtime.h>

namespace cats::cuda {

// overlap: it may start when all blocks of the kernel before it have called AllowNextKernel.
template <class... Parameters>
cudaError_t Launch(void (*kernel)(Parameters...), dim3 blocks, unsigned threads, bool overlap,
                   cudaStream_t stream, Parameters... arguments) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = dim3(threads);
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = overlap ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

// Loads a kernel's code, so that no launch does it.
template <class Kernel>
cudaError_t LoadKernel(Kernel* kernel) {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(kernel));
}

}  // namespace cats::cuda
