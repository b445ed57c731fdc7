// SPDX-License-Identifier: MIT
// Any number of rows of SparseGatedMlp on a CUDA device, every size, alignment and format: up to 8 rows share
// one reading of the weights. A row's result depends on that row alone: not on how many rows there are, nor
// on the others.
#pragma once
#include <cstddef>
#include <cstdint>

#include "formats/dtype.h"
#include "formats/portable.h"
#include "kernels/gated_mlp.h"

struct CUstream_st;  // cudaStream_t points to it

namespace cats::cuda {

constexpr int kRowGroup = 8;    // rows that share one reading
constexpr int kRowsTile = 16;   // neurons of a block of the first kernel
constexpr int kRowsWarps = 8;   // warps of a block
constexpr int kRowsParts = 32;  // ranges of neurons that are added up apart

// The rows of a group as the kernels are compiled for them.
CATS_HD constexpr int RowsCompiled(int64_t rows) { return rows <= 1 ? 1 : rows <= 2 ? 2 : rows <= 4 ? 4 : 8; }

// Where things lie in the scratch of a group, in 4-byte words.
struct SparseRowsScratch {
  int64_t h;      // float [intermediate, compiled rows]
  int64_t parts;  // float [kRowsParts, compiled rows, hidden]
  int64_t kept;   // uint32 [intermediate], bit r: row r keeps the neuron
  int64_t words;

  CATS_HD constexpr SparseRowsScratch(int64_t rows, int64_t intermediate, int64_t hidden)
      : h(0),
        parts(intermediate * RowsCompiled(rows)),
        kept(parts + kRowsParts * RowsCompiled(rows) * hidden),
        words(kept + intermediate) {}
};

// Groups follow each other in one stream and share their scratch. Depends on the sizes alone.
inline size_t SparseRowsScratchBytes(int64_t rows, int64_t intermediate, int64_t hidden) {
  return static_cast<size_t>(SparseRowsScratch(rows, intermediate, hidden).words) * 4;
}

// Both return a cudaError_t as int, 0 if all is well. Nothing in them allocates or waits.

// Before the first capture or launch: loads the kernels of this format.
int LoadSparseRows(DType dtype);

// Device pointers, aligned to sizeof(T); args.scratch: SparseRowsScratchBytes, aligned to 16, any contents.
int LaunchSparseRows(DType dtype, const GatedMlpArgs& args, CUstream_st* stream);

}  // namespace cats::cuda
