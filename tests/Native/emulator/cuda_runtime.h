// SPDX-License-Identifier: MIT
// The part of CUDA's runtime that kernels/cuda/*.cu call, for the emulator: launches run before they return.
#pragma once
#include "emulator/emulator.h"

enum cudaError_t : int { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount,
  cudaDevAttrComputeCapabilityMajor,
  cudaDevAttrComputeCapabilityMinor,
  cudaDevAttrMaxSharedMemoryPerBlockOptin,
  cudaDevAttrCooperativeLaunch
};
enum cudaLaunchAttributeID {
  cudaLaunchAttributeCooperative,
  cudaLaunchAttributeProgrammaticStreamSerialization
};
enum cudaFuncAttribute {
  cudaFuncAttributeMaxDynamicSharedMemorySize,
  cudaFuncAttributePreferredSharedMemoryCarveout
};
enum cudaSharedCarveout { cudaSharedmemCarveoutMaxShared = 100 };
enum cudaMemcpyKind { cudaMemcpyDeviceToDevice };
using cudaStream_t = struct CUstream_st*;

struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  struct {
    int cooperative, programmaticStreamSerializationAllowed;
  } val;
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};
struct cudaFuncAttributes {};

namespace cats::emulator {

// The device: by default of compute capability 9.0, with so few multiprocessors that tests are quick.
struct Device {
  int multiprocessors = 33, major = 9;
};
inline Device device;
inline uint32_t seed = 1;  // of the next launch's order; each launch has another one

}  // namespace cats::emulator

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments... arguments) {
  using namespace cats::emulator;
  const bool cooperative =
      std::any_of(config->attrs, config->attrs + config->numAttrs, [](const cudaLaunchAttribute& attribute) {
        return attribute.id == cudaLaunchAttributeCooperative && attribute.val.cooperative != 0;
      });
  const std::function<void()> body = [&] { kernel(arguments...); };
  const dim3 blocks = config->gridDim;
  if (blocks.x == 0 || blocks.y == 0 || blocks.z != 1 || config->blockDim.x % 32 != 0 ||
      config->blockDim.x > 1024 || config->dynamicSmemBytes > 227 * 1024) {
    return cudaErrorInvalidValue;
  }
  if (cooperative) {
    if (static_cast<int>(blocks.x) > device.multiprocessors) return cudaErrorInvalidValue;
    Launch(blocks.x, config->blockDim.x, config->dynamicSmemBytes, body, seed++);
  } else {
    LaunchApart(blocks, config->blockDim.x, config->dynamicSmemBytes, body, seed++);
  }
  return cudaSuccess;
}

inline cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel*, cudaFuncAttribute, int) {
  return cudaSuccess;
}
inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes*, const void*) { return cudaSuccess; }
inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidValue; }
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = cats::emulator::device.multiprocessors;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = cats::emulator::device.major;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = 0;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = 227 * 1024;
      break;
    case cudaDevAttrCooperativeLaunch:
      *value = 1;
  }
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t) {
  std::memset(to, value, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
