// SPDX-License-Identifier: MIT
// Launches of the kernels for several rows.
#include <algorithm>

#include "kernels/cuda/bulk_rows.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/sparse_rows.cuh"
#include "kernels/cuda/sparse_rows.h"
#include "kernels/cuda/sparse_rows_down.cuh"

namespace cats::cuda {
namespace {

unsigned Tiles(int64_t size, int64_t tile) { return static_cast<unsigned>((size + tile - 1) / tile); }

// ---- One kernel for decisions, h and sums, with bulk copies
// ------------------------------------------------

struct BulkKernel {
  void (*kernel)(GatedMlpArgs, RowGroup);
  size_t shared_bytes;
};

template <class T>
BulkKernel BulkKernelOf(int64_t hidden) {
  BulkKernel kernel = {};
  BulkHidden::With(hidden, [&]<int Hidden>() {
    static_assert(sizeof(BulkRowsShared<Hidden>) <= 227 * 1024);
    kernel = {BulkRows<T, Hidden>, sizeof(BulkRowsShared<Hidden>)};
  });
  return kernel;
}

// ---- Two kernels, for every size and device ---------------------------------------------------------------

template <class T, int R, bool Aligned>
cudaError_t RunNeurons(const GatedMlpArgs& args, RowGroup group, cudaStream_t stream) {
  return Launch(SparseRowsNeurons<T, R, Aligned>,
                {dim3(Tiles(args.intermediate, kRowsTile)), kRowsWarps * 32}, stream, args, group);
}

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
  // The same division of a multiprocessor's memory as the bulk kernel's: to change it takes time.
  if (error == cudaSuccess) error = LoadKernelWithShared(SparseRowsSum<T, R, 4>, 0);
  if (error == cudaSuccess) error = LoadKernelWithShared(SparseRowsSum<T, R, 1>, 0);
  if constexpr (sizeof(T) == 4) {
    if (error == cudaSuccess) error = LoadKernel(SparseRowsDownFloat<R, Aligned>);
  } else {
    if (error == cudaSuccess) error = LoadKernel(SparseRowsDown<T, R, Aligned>);
  }
  return error;
}

// after_norm: the kernel before is ours and lets this one begin.
template <class T, int R, bool Aligned>
cudaError_t Run(const DeviceLimits& device, DType dtype, const GatedMlpArgs& args, RowGroup group,
                bool after_norm, cudaStream_t stream) {
  // With our first kernel, not with what came before us.
  const bool overlap = device.compute_capability >= 90 && args.intermediate > 0;
  int parts = DownParts(sizeof(T) == 4, args.hidden);
  bool bulk_rows = false;
  cudaError_t error = cudaSuccess;
  if constexpr (sizeof(T) == 2) {
    if (HasBulkRows(device, dtype, args.hidden, args.intermediate, Aligned)) {
      bulk_rows = true;
      parts = device.multiprocessors;
      const BulkKernel bulk = BulkKernelOf<T>(args.hidden);
      error =
          Launch(bulk.kernel,
                 {dim3(static_cast<unsigned>(parts)), kBulkThreads, after_norm && overlap, bulk.shared_bytes},
                 stream, args, group);
    }
  }
  if (!bulk_rows) {
    if (args.intermediate > 0) error = RunNeurons<T, R, Aligned>(args, group, stream);
    if (error == cudaSuccess && args.hidden > 0) error = RunDown<T, R, Aligned>(args, overlap, stream);
  }
  if (error != cudaSuccess) return error;
  const bool wide = args.hidden % 4 == 0;
  const dim3 blocks(Tiles(args.hidden, wide ? 128 : 32) + 1, static_cast<unsigned>(group.count));
  return Launch(wide ? SparseRowsSum<T, R, 4> : SparseRowsSum<T, R, 1>, {blocks, kSumWarps * 32, overlap},
                stream, args, group, parts);
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
    for (const int hidden : BulkHidden::kAll) {
      if (error != cudaSuccess || !HasBulkCopies(device, dtype, true)) break;
      const BulkKernel bulk = BulkKernelOf<T>(hidden);
      error = LoadKernelWithShared(bulk.kernel, bulk.shared_bytes);
    }
  }
  return error;
}

template <class T, bool Aligned>
cudaError_t Run(const DeviceLimits& device, DType dtype, const GatedMlpArgs& args, RowGroup group,
                bool after_norm, cudaStream_t stream) {
  switch (RowsCompiled(group.count)) {
    case 1:
      return Run<T, 1, Aligned>(device, dtype, args, group, after_norm, stream);
    case 2:
      return Run<T, 2, Aligned>(device, dtype, args, group, after_norm, stream);
    case 4:
      return Run<T, 4, Aligned>(device, dtype, args, group, after_norm, stream);
    default:
      return Run<T, 8, Aligned>(device, dtype, args, group, after_norm, stream);
  }
}

template <class T>
cudaError_t Run(const DeviceLimits& device, DType dtype, const GatedMlpArgs& args, bool after_norm,
                cudaStream_t stream) {
  const bool aligned = IsAligned<T>(args);
  for (int64_t first = 0; first < args.rows; first += kRowGroup) {
    const RowGroup group = {first, static_cast<int>(std::min<int64_t>(kRowGroup, args.rows - first))};
    const cudaError_t error = aligned
                                  ? Run<T, true>(device, dtype, args, group, after_norm && first == 0, stream)
                                  : Run<T, false>(device, dtype, args, group, false, stream);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

}  // namespace

int LoadSparseRows(const DeviceLimits& device, DType dtype) {
  return WithFormat(dtype, [&]<class T>(T) { return Load<T>(device, dtype); });
}

int LaunchSparseRows(const DeviceLimits& device, DType dtype, const GatedMlpArgs& args, bool after_norm,
                     CUstream_st* stream) {
  return WithFormat(dtype, [&]<class T>(T) { return Run<T>(device, dtype, args, after_norm, stream); });
}

}  // namespace cats::cuda
