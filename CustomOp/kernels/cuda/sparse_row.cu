// SPDX-License-Identifier: MIT
// Launches of the one-row kernels.
#include <cuda_runtime.h>

#include <initializer_list>

#include "kernels/cuda/general_row.cuh"
#include "kernels/cuda/sparse_row.cuh"
#include "kernels/cuda/sparse_row.h"

namespace cats::cuda {
namespace {

using Kernel = void (*)(SparseRowArgs);

struct FusedKernel {
  Kernel kernel;
  int threads;
  int shared_bytes;
};

template <class T, int Hidden>
FusedKernel Fused() {
  if constexpr (FusedWarps(Hidden * sizeof(T)) == 0) {
    return {};
  } else {
    static_assert(sizeof(SparseRowShared<T, Hidden>) <= 227 * 1024);
    return {SparseRow<T, Hidden>, (RowSize<T, Hidden>::kWarps + 2) * 32, sizeof(SparseRowShared<T, Hidden>)};
  }
}

template <class T>
FusedKernel FusedOf(int64_t hidden) {
  switch (hidden) {  // kFusedHidden
    case 2048:
      return Fused<T, 2048>();
    case 3072:
      return Fused<T, 3072>();
    case 4096:
      return Fused<T, 4096>();
    case 5120:
      return Fused<T, 5120>();
    case 6144:
      return Fused<T, 6144>();
    case 8192:
      return Fused<T, 8192>();
  }
  return {};
}

FusedKernel FusedOf(DType dtype, int64_t hidden) {
  switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return FusedOf<type>(hidden);
#include "formats/formats.def"
#undef CATS_FORMAT
  }
  return {};
}

template <class T>
cudaError_t LaunchGeneral(const SparseRowArgs& args, cudaStream_t stream) {
  const auto tiles = static_cast<unsigned>((args.hidden + kGeneralColumns - 1) / kGeneralColumns);
  if (args.intermediate > 0) {
    GeneralNeurons<T><<<static_cast<unsigned>((args.intermediate + 7) / 8), 256, 0, stream>>>(args);
    if (const cudaError_t error = cudaPeekAtLastError(); error != cudaSuccess) return error;
  }
  if (tiles == 0) return cudaSuccess;
  GeneralDown<T><<<dim3(tiles, kGeneralParts), kGeneralColumns, 0, stream>>>(args);
  if (const cudaError_t error = cudaPeekAtLastError(); error != cudaSuccess) return error;
  GeneralSum<T><<<tiles, kGeneralColumns, 0, stream>>>(args);
  return cudaPeekAtLastError();
}

}  // namespace

int ReadDeviceLimits(int device, DeviceLimits* limits) {
  int major = 0, minor = 0, cooperative = 0;
  const struct {
    int* value;
    cudaDeviceAttr attribute;
  } wanted[] = {{&limits->multiprocessors, cudaDevAttrMultiProcessorCount},
                {&major, cudaDevAttrComputeCapabilityMajor},
                {&minor, cudaDevAttrComputeCapabilityMinor},
                {&limits->shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin},
                {&cooperative, cudaDevAttrCooperativeLaunch}};
  for (const auto& w : wanted) {
    if (const cudaError_t error = cudaDeviceGetAttribute(w.value, w.attribute, device); error != cudaSuccess)
      return error;
  }
  limits->compute_capability = major * 10 + minor;
  limits->cooperative_launch = cooperative != 0;
  return cudaSuccess;
}

int LoadSparseRow(const SparseRowPlan& plan, DType dtype, int64_t hidden) {
  cudaFuncAttributes attributes;
  if (!plan.fused) {
    switch (dtype) {
#define CATS_FORMAT(type, name, onnx)                                                                 \
  case DType::k##type:                                                                                \
    for (Kernel kernel : {GeneralNeurons<type>, GeneralDown<type>, GeneralSum<type>}) {               \
      if (const cudaError_t error = cudaFuncGetAttributes(&attributes, kernel); error != cudaSuccess) \
        return error;                                                                                 \
    }                                                                                                 \
    return cudaSuccess;
#include "formats/formats.def"
#undef CATS_FORMAT
    }
    return cudaErrorInvalidValue;
  }
  const FusedKernel fused = FusedOf(dtype, hidden);
  if (fused.kernel == nullptr) return cudaErrorInvalidValue;
  return cudaFuncSetAttribute(fused.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, fused.shared_bytes);
}

int PrepareScratch(const SparseRowPlan& plan, uint32_t* scratch, CUstream_st* stream) {
  return plan.exchange ? cudaMemsetAsync(scratch, 0xff, plan.scratch_bytes, stream) : cudaSuccess;
}

int LaunchSparseRow(const SparseRowPlan& plan, DType dtype, const SparseRowArgs& args, bool overlap,
                    CUstream_st* stream) {
  if (!plan.fused) {
    switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return LaunchGeneral<type>(args, stream);
#include "formats/formats.def"
#undef CATS_FORMAT
    }
    return cudaErrorInvalidValue;
  }
  const FusedKernel fused = FusedOf(dtype, args.hidden);
  if (fused.kernel == nullptr) return cudaErrorInvalidValue;
  SparseRowArgs call = args;
  call.share = static_cast<int>(args.intermediate / plan.blocks);
  call.extra = static_cast<int>(args.intermediate % plan.blocks);
  call.prefetch_rows = plan.prefetch_rows;
  call.prefetch_first = plan.prefetch_first;
  call.prefetch_up = plan.prefetch_up;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(plan.blocks));
  config.blockDim = dim3(static_cast<unsigned>(fused.threads));
  config.dynamicSmemBytes = static_cast<size_t>(fused.shared_bytes);
  config.stream = stream;
  // Blocks wait for each other, so all must be resident: a cooperative launch sees to that.
  cudaLaunchAttribute attributes[2] = {};
  attributes[0].id = cudaLaunchAttributeCooperative;
  attributes[0].val.cooperative = 1;
  attributes[1].id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attributes[1].val.programmaticStreamSerializationAllowed = 1;
  config.attrs = attributes;
  config.numAttrs = overlap ? 2 : 1;
  return cudaLaunchKernelEx(&config, fused.kernel, call);
}

}  // namespace cats::cuda
