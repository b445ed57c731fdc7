// SPDX-License-Identifier: MIT
// Launches of the kernels for several rows.
#include <algorithm>

#include "kernels/cuda/bulk_rows_neurons.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/sparse_rows.cuh"
#include "kernels/cuda/sparse_rows.h"
#include "kernels/cuda/sparse_rows_down.cuh"

namespace cats::cuda {
namespace {

unsigned Tiles(int64_t size, int64_t tile) { return static_cast<unsigned>((size + tile - 1) / tile); }

// ---- Decisions and h --------------------------------------------------------------------------------------

struct BulkNeurons {
  void (*kernel)(GatedMlpArgs, RowGroup);
  size_t shared_bytes;
};

template <class T, int Hidden>
BulkNeurons BulkNeuronsOf() {
  static_assert(sizeof(BulkNeuronsShared<Hidden>) <= 227 * 1024);
  return {BulkRowsNeurons<T, Hidden>, sizeof(BulkNeuronsShared<Hidden>)};
}

template <class T>
BulkNeurons BulkNeuronsOf(int64_t hidden) {
  switch (hidden) {  // kBulkHidden
    case 2048:
      return BulkNeuronsOf<T, 2048>();
    case 3072:
      return BulkNeuronsOf<T, 3072>();
    case 4096:
      return BulkNeuronsOf<T, 4096>();
    case 5120:
      return BulkNeuronsOf<T, 5120>();
    case 6144:
      return BulkNeuronsOf<T, 6144>();
  }
  return {};
}

template <class T, int R, bool Aligned>
cudaError_t RunNeurons(const DeviceLimits& device, DType dtype, const GatedMlpArgs& args, RowGroup group,
                       cudaStream_t stream) {
  if constexpr (sizeof(T) == 2) {
    if (HasBulkNeurons(device, dtype, args.hidden, args.intermediate, Aligned)) {
      const BulkNeurons bulk = BulkNeuronsOf<T>(args.hidden);
      return Launch(bulk.kernel,
                    {dim3(static_cast<unsigned>(device.multiprocessors)), (kBulkWarps + 1) * 32, false,
                     bulk.shared_bytes},
                    stream, args, group);
    }
  }
  return Launch(SparseRowsNeurons<T, R, Aligned>,
                {dim3(Tiles(args.intermediate, kRowsTile)), kRowsWarps * 32}, stream, args, group);
}

// ---- Weighted sums of down rows ---------------------------------------------------------------------------

template <class T, int R, bool Aligned>
cudaError_t RunDown(const GatedMlpArgs& args, bool overlap, cudaStream_t stream) {
  const auto parts = static_cast<unsigned>(DownParts(sizeof(T) == 4, args.hidden));
  if constexpr (sizeof(T) == 4) {
    return Launch(SparseRowsDownFloat<R, Aligned>,
                  {dim3(Tiles(args.hidden, 128), parts), kDownWarps * 32, overlap}, stream, args);
  } else {
    return Launch(SparseRowsDown<T, R, Aligned>,
                  {dim3(Tiles(args.hidden, kDownWarps * kDownColumns), parts), kDownWarps * 32, overlap},
                  stream, args);
  }
}

// ---- All of it --------------------------------------------------------------------------------------------

template <class T, int R, bool Aligned>
cudaError_t Load() {
  cudaError_t error = LoadKernel(SparseRowsNeurons<T, R, Aligned>);
  if (error == cudaSuccess) error = LoadKernel(SparseRowsSum<T, R>);
  if constexpr (sizeof(T) == 4) {
    if (error == cudaSuccess) error = LoadKernel(SparseRowsDownFloat<R, Aligned>);
  } else {
    if (error == cudaSuccess) error = LoadKernel(SparseRowsDown<T, R, Aligned>);
  }
  return error;
}

template <class T, int R, bool Aligned>
cudaError_t Run(const DeviceLimits& device, DType dtype, const GatedMlpArgs& args, RowGroup group,
                cudaStream_t stream) {
  cudaError_t error = cudaSuccess;
  if (args.intermediate > 0) error = RunNeurons<T, R, Aligned>(device, dtype, args, group, stream);
  // With our first kernel, not with what came before us.
  const bool overlap = device.compute_capability >= 90 && args.intermediate > 0;
  if (error == cudaSuccess && args.hidden > 0) {
    error = RunDown<T, R, Aligned>(args, overlap, stream);
  }
  if (error != cudaSuccess) return error;
  return Launch(SparseRowsSum<T, R>,
                {dim3(Tiles(args.hidden, 32) + 1, static_cast<unsigned>(group.count)), 256, overlap}, stream,
                args, group);
}

template <class T>
bool IsAligned(const GatedMlpArgs& args) {
  const auto bits = reinterpret_cast<uintptr_t>(args.x) | reinterpret_cast<uintptr_t>(args.gate) |
                    reinterpret_cast<uintptr_t>(args.up) | reinterpret_cast<uintptr_t>(args.down) |
                    static_cast<uintptr_t>(args.hidden) * sizeof(T);
  return bits % 16 == 0;
}

template <class T>
cudaError_t Load(const DeviceLimits& device, DType dtype) {
  cudaError_t error = Load<T, 1, true>();
  if (error == cudaSuccess) error = Load<T, 2, true>();
  if (error == cudaSuccess) error = Load<T, 4, true>();
  if (error == cudaSuccess) error = Load<T, 8, true>();
  if (error == cudaSuccess) error = Load<T, 1, false>();
  if (error == cudaSuccess) error = Load<T, 2, false>();
  if (error == cudaSuccess) error = Load<T, 4, false>();
  if (error == cudaSuccess) error = Load<T, 8, false>();
  if constexpr (sizeof(T) == 2) {
    for (const int hidden : kBulkHidden) {
      if (error != cudaSuccess || !HasBulkCopies(device, dtype, true)) break;
      const BulkNeurons bulk = BulkNeuronsOf<T>(hidden);
      error = LoadKernelWithShared(bulk.kernel, bulk.shared_bytes);
    }
  }
  return error;
}

template <class T, bool Aligned>
cudaError_t Run(const DeviceLimits& device, DType dtype, const GatedMlpArgs& args, RowGroup group,
                cudaStream_t stream) {
  switch (RowsCompiled(group.count)) {
    case 1:
      return Run<T, 1, Aligned>(device, dtype, args, group, stream);
    case 2:
      return Run<T, 2, Aligned>(device, dtype, args, group, stream);
    case 4:
      return Run<T, 4, Aligned>(device, dtype, args, group, stream);
    default:
      return Run<T, 8, Aligned>(device, dtype, args, group, stream);
  }
}

template <class T>
cudaError_t Run(const DeviceLimits& device, DType dtype, const GatedMlpArgs& args, cudaStream_t stream) {
  const bool aligned = IsAligned<T>(args);
  for (int64_t first = 0; first < args.rows; first += kRowGroup) {
    const RowGroup group = {first, static_cast<int>(std::min<int64_t>(kRowGroup, args.rows - first))};
    const cudaError_t error = aligned ? Run<T, true>(device, dtype, args, group, stream)
                                      : Run<T, false>(device, dtype, args, group, stream);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

}  // namespace

int LoadSparseRows(const DeviceLimits& device, DType dtype) {
  switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return Load<type>(device, dtype);
#include "formats/formats.def"
#undef CATS_FORMAT
  }
  return cudaErrorInvalidValue;
}

int LaunchSparseRows(const DeviceLimits& device, DType dtype, const GatedMlpArgs& args, CUstream_st* stream) {
  switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return Run<type>(device, dtype, args, stream);
#include "formats/formats.def"
#undef CATS_FORMAT
  }
  return cudaErrorInvalidValue;
}

}  // namespace cats::cuda
