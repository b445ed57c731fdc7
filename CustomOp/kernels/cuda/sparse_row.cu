// SPDX-License-Identifier: MIT
// Launches of the fused kernel for one or two rows.
#include <cuda_runtime.h>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/sparse_row.cuh"
#include "kernels/cuda/sparse_row.h"
#include "kernels/cuda/sparse_rows.h"

namespace cats::cuda {
namespace {

using Kernel = void (*)(SparseRowArgs);

constexpr unsigned kFillThreads = 256;

// Lets the fused kernel start at once: its weights come while this runs.
__global__ void __launch_bounds__(kFillThreads) FillWithOnes(uint4* cells, int64_t size) {
  AllowNextKernel();
  const int64_t step = static_cast<int64_t>(gridDim.x) * kFillThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kFillThreads + threadIdx.x; i < size; i += step) {
    cells[i] = make_uint4(kEmpty, kEmpty, kEmpty, kEmpty);
  }
}

struct FusedKernel {
  Kernel kernel;
  int threads;
  int shared_bytes;
};

template <class T, int Hidden, int Rows>
FusedKernel Fused() {
  if constexpr (!FusedRowsFit(Hidden * sizeof(T), Rows)) {
    return {};
  } else {
    using Shared = SparseRowShared<T, Hidden, Rows>;
    static_assert(sizeof(Shared) <= 227 * 1024);
    return {SparseRow<T, Hidden, Rows>, (RowSize<T, Hidden>::kWarps + 2) * 32, sizeof(Shared)};
  }
}

template <class T>
FusedKernel FusedOf(int64_t hidden, int rows) {
  FusedKernel fused = {};
  FusedHidden::With(hidden, [&]<int Hidden>() {
    fused = rows == 1 ? Fused<T, Hidden, 1>() : rows == 2 ? Fused<T, Hidden, 2>() : FusedKernel{};
  });
  return fused;
}

FusedKernel FusedOf(DType dtype, int64_t hidden, int rows) {
  return WithFormat(dtype, [&]<class T>(T) { return FusedOf<T>(hidden, rows); });
}

// By the kernels for several rows, with the same arguments.
GatedMlpArgs AsRows(const SparseRowArgs& args, int rows) {
  return {rows,
          args.hidden,
          args.intermediate,
          args.x,
          args.gate,
          args.up,
          args.down,
          args.threshold,
          args.threshold_scale,
          args.gate_bias,
          args.up_bias,
          args.down_bias,
          args.y,
          args.active,
          args.exchange,
          args.threshold_per_neuron,
          args.scale_per_row};
}

int ReadCurrentLimits(DeviceLimits* limits) {
  int device = 0;
  const cudaError_t error = cudaGetDevice(&device);
  return error != cudaSuccess ? static_cast<int>(error) : ReadDeviceLimits(device, limits);
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
  if (!plan.fused) {
    DeviceLimits limits;
    if (const int error = ReadCurrentLimits(&limits); error != 0) return error;
    return LoadSparseRows(limits, dtype);
  }
  const FusedKernel fused = FusedOf(dtype, hidden, plan.rows);
  if (fused.kernel == nullptr) return cudaErrorInvalidValue;
  if (const cudaError_t error = LoadKernel(FillWithOnes); error != cudaSuccess) return error;
  return cudaFuncSetAttribute(fused.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, fused.shared_bytes);
}

int PrepareScratch(const SparseRowPlan& plan, uint32_t* scratch, CUstream_st* stream) {
  if (!plan.exchange) return cudaSuccess;
  // scratch_bytes is a multiple of 16: the area is words in groups of 4 (launch_plan_test.cc).
  return Launch(FillWithOnes, {dim3(static_cast<unsigned>(plan.blocks)), kFillThreads}, stream,
                reinterpret_cast<uint4*>(scratch), static_cast<int64_t>(plan.scratch_bytes / 16));
}

int LaunchSparseRow(const SparseRowPlan& plan, DType dtype, const SparseRowArgs& args, bool overlap,
                    CUstream_st* stream) {
  if (!plan.fused) {
    DeviceLimits limits;
    if (const int error = ReadCurrentLimits(&limits); error != 0) return error;
    return LaunchSparseRows(limits, dtype, AsRows(args, plan.rows), false, stream);
  }
  const FusedKernel fused = FusedOf(dtype, args.hidden, plan.rows);
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
