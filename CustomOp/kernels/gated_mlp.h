// SPDX-License-Identifier: MIT
// The interface between the op SparseGatedMlp and its kernels: one argument struct, and per instruction set
// and dtype two kernels with one definition. docs/op-spec.md has the definition; in short, for each row:
//   g_i = T(x . gate_i + gate_bias_i)      accumulated in float32, rounded once to T
//   a_i = T(Silu(g_i))                     silu.h, rounded once to T
//   kept_i = IsKept(a_i, ThresholdBits(threshold_i, scale))                        decision.h
//   h_i = a_i * (x . up_i + up_bias_i) in float32 where kept, else +0
//   y_j = T(sum over i of h_i * down_ij + down_bias_j)
#pragma once
#include <cstddef>
#include <cstdint>

#include "formats/dtype.h"
#include "kernels/parallel_for.h"

namespace cats {

struct GatedMlpArgs {
  int64_t rows;                  // >= 0, the product of X's leading dimensions
  int64_t hidden;                // >= 0
  int64_t intermediate;          // >= 0
  const void* x;                 // T [rows, hidden]
  const void* gate;              // T [intermediate, hidden], neuron-major
  const void* up;                // T [intermediate, hidden], neuron-major
  const void* down;              // T [intermediate, hidden], neuron-major
  const float* threshold;        // [intermediate] if threshold_per_neuron, else [1]
  const float* threshold_scale;  // [rows] if scale_per_row, else [1]; null counts as 1
  const void* gate_bias;         // T [intermediate] or null
  const void* up_bias;           // T [intermediate] or null
  const void* down_bias;         // T [hidden] or null
  void* y;                       // T [rows, hidden]
  int32_t* active;               // [rows], the number of kept neurons, or null
  void* scratch;                 // scratch_bytes(...) bytes, aligned to 64, contents undefined, or null if 0
  bool threshold_per_neuron;
  bool scale_per_row;
};

// The caller (ops/sparse_gated_mlp.cc, or a test) promises: pointers aligned to sizeof(T) only (weights may
// lie anywhere in a model file); sizes as written; no output overlaps an input; rows * hidden,
// rows * intermediate and hidden * intermediate times 16 fit in int64_t; and zero is allowed for every size
// (intermediate 0: y is down_bias or 0).
//
// A kernel promises: right for any number of rows, including those it is not the fastest for; reads nothing
// beyond the arrays; the same bits for any number of threads, any order of tasks and any alignment; every
// output element is summed in an order that depends on the sizes and the mask alone; no allocation, no
// exception, no output but y and active; scratch of one call is not used by another.
struct GatedMlpKernel {
  // Bytes of scratch for one call; 0 is allowed. Bounded: at most 16 * (hidden + 4 * intermediate) bytes
  // for each of min(rows, 512) rows, plus 1 MiB (a kernel for many rows works in blocks of rows).
  size_t (*scratch_bytes)(int64_t rows, int64_t hidden, int64_t intermediate) noexcept;
  // False only if parallel_for returned false.
  bool (*run)(const GatedMlpArgs& args, const ParallelFor& parallel_for) noexcept;
};

struct GatedMlpKernels {
  // Decode and small batches. Reads of up and down only the rows that a neuron's decision (of any row of
  // the batch) asks for; weights of skipped neurons are not read, so a NaN in them does not show. Each
  // row has its own mask: a neuron skipped in a row adds nothing to that row, not even 0 * w.
  GatedMlpKernel few_rows;
  // Prefill, at dense speed: may compute skipped neurons, but their h is +0 by selection, not by product.
  // May round h to T first (op-spec.md), unless T is float.
  GatedMlpKernel many_rows;
  // From how many rows on many_rows is the faster one on this machine; measured, see benchmarks/results.
  int64_t (*many_rows_from)(int64_t hidden, int64_t intermediate) noexcept;
};

}  // namespace cats
