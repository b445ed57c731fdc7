// SPDX-License-Identifier: MIT
// Runs something with a device current, and leaves the thread's current device as it was.
#pragma once
#include <cuda_runtime.h>

namespace cats::cuda {

template <class Body>
int OnDevice(int device, Body&& body) {
  int before = 0;
  cudaError_t error = cudaGetDevice(&before);
  if (error == cudaSuccess && before != device) error = cudaSetDevice(device);
  if (error != cudaSuccess) return error;
  const int result = body();
  if (before != device) error = cudaSetDevice(before);
  return result != 0 ? result : error;
}

}  // namespace cats::cuda
