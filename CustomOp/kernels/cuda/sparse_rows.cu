// SPDX-License-Identifier: MIT
// Launches of the kernels for several rows.
#include <algorithm>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/sparse_rows.cuh"
#include "kernels/cuda/sparse_rows.h"
#include "kernels/cuda/sparse_rows_down.cuh"

namespace cats::cuda {
namespace {

template <class T, int R, bool Aligned>
auto Down() {
  if constexpr (sizeof(T) == 4) {
    return SparseRowsDownFloat<R, Aligned>;
  } else {
    return SparseRowsDown<T, R, Aligned>;
  }
}

template <class T, int R, bool Aligned>
struct Kernels {
  static constexpr bool kFloat32 = sizeof(T) == 4;
  static constexpr int64_t kColumns = kFloat32 ? 128 : kDownWarps * kDownColumns;  // of a block

  static cudaError_t Load() {
    cudaError_t error = LoadKernel(SparseRowsNeurons<T, R, Aligned>);
    if (error == cudaSuccess) error = LoadKernel(Down<T, R, Aligned>());
    if (error == cudaSuccess) error = LoadKernel(SparseRowsSum<T, R>);
    return error;
  }

  static cudaError_t Run(const GatedMlpArgs& args, RowGroup group, bool overlap, cudaStream_t stream) {
    cudaError_t error = cudaSuccess;
    if (args.intermediate > 0) {
      const auto tiles = static_cast<unsigned>((args.intermediate + kRowsTile - 1) / kRowsTile);
      error =
          Launch(SparseRowsNeurons<T, R, Aligned>, dim3(tiles), kRowsWarps * 32, false, stream, args, group);
    }
    overlap = overlap && args.intermediate > 0;  // with the first kernel, not with what came before us
    if (error == cudaSuccess && args.hidden > 0) {
      const auto tiles = static_cast<unsigned>((args.hidden + kColumns - 1) / kColumns);
      const auto parts = static_cast<unsigned>(DownParts(kFloat32, args.hidden));
      error = Launch(Down<T, R, Aligned>(), dim3(tiles, parts), kDownWarps * 32, overlap, stream, args);
    }
    if (error != cudaSuccess) return error;
    const auto tiles = static_cast<unsigned>((args.hidden + 31) / 32) + 1;
    return Launch(SparseRowsSum<T, R>, dim3(tiles, static_cast<unsigned>(group.count)), 256, overlap, stream,
                  args, group);
  }
};

template <class T>
bool IsAligned(const GatedMlpArgs& args) {
  const auto bits = reinterpret_cast<uintptr_t>(args.x) | reinterpret_cast<uintptr_t>(args.gate) |
                    reinterpret_cast<uintptr_t>(args.up) | reinterpret_cast<uintptr_t>(args.down) |
                    static_cast<uintptr_t>(args.hidden) * sizeof(T);
  return bits % 16 == 0;
}

template <class T>
cudaError_t Load() {
  cudaError_t error = Kernels<T, 1, true>::Load();
  if (error == cudaSuccess) error = Kernels<T, 2, true>::Load();
  if (error == cudaSuccess) error = Kernels<T, 4, true>::Load();
  if (error == cudaSuccess) error = Kernels<T, 8, true>::Load();
  if (error == cudaSuccess) error = Kernels<T, 1, false>::Load();
  if (error == cudaSuccess) error = Kernels<T, 2, false>::Load();
  if (error == cudaSuccess) error = Kernels<T, 4, false>::Load();
  if (error == cudaSuccess) error = Kernels<T, 8, false>::Load();
  return error;
}

template <class T, bool Aligned>
cudaError_t Run(const GatedMlpArgs& args, RowGroup group, bool overlap, cudaStream_t stream) {
  switch (RowsCompiled(group.count)) {
    case 1:
      return Kernels<T, 1, Aligned>::Run(args, group, overlap, stream);
    case 2:
      return Kernels<T, 2, Aligned>::Run(args, group, overlap, stream);
    case 4:
      return Kernels<T, 4, Aligned>::Run(args, group, overlap, stream);
    default:
      return Kernels<T, 8, Aligned>::Run(args, group, overlap, stream);
  }
}

template <class T>
cudaError_t Run(const GatedMlpArgs& args, bool overlap, cudaStream_t stream) {
  const bool aligned = IsAligned<T>(args);
  for (int64_t first = 0; first < args.rows; first += kRowGroup) {
    const RowGroup group = {first, static_cast<int>(std::min<int64_t>(kRowGroup, args.rows - first))};
    const cudaError_t error =
        aligned ? Run<T, true>(args, group, overlap, stream) : Run<T, false>(args, group, overlap, stream);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

}  // namespace

int LoadSparseRows(DType dtype) {
  switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return Load<type>();
#include "formats/formats.def"
#undef CATS_FORMAT
  }
  return cudaErrorInvalidValue;
}

int LaunchSparseRows(DType dtype, const GatedMlpArgs& args, bool overlap, CUstream_st* stream) {
  switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return Run<type>(args, overlap, stream);
#include "formats/formats.def"
#undef CATS_FORMAT
  }
  return cudaErrorInvalidValue;
}

}  // namespace cats::cuda
