// SPDX-License-Identifier: MIT
// One or two rows of SparseGatedMlp on a CUDA device (docs/op-spec.md): sizes, arguments, launch. No CUDA
// header needed.
#pragma once
#include <cstdint>

#include "kernels/cuda/launch_plan.h"

struct CUstream_st;  // cudaStream_t points to it

namespace cats::cuda {

// Device pointers, each aligned to sizeof(T); weights are neuron-major. No output overlaps an input. Only the
// fused kernel takes a skip; it wants x, skip, norm_weight and sum at multiples of 16 bytes.
struct SparseRowArgs {
  const void* x;  // T [rows, hidden], rows of the plan
  const void*
      skip;  // T [rows, hidden] or [1, hidden]: the MLP's input is x + skip after its norm; null: it is x
  const void* norm_weight;       // T [hidden], with skip (kernels/skip_rms_norm.h)
  const float* norm_epsilon;     // [1], with skip
  void* sum;                     // T [rows, hidden] with skip, or null: becomes x + skip
  const void* gate;              // T [intermediate, hidden]
  const void* up;                // T [intermediate, hidden]
  const void* down;              // T [intermediate, hidden]
  const float* threshold;        // [intermediate] if threshold_per_neuron, else [1]
  const float* threshold_scale;  // [rows] if scale_per_row, else [1]; null for 1
  const void* gate_bias;         // T [intermediate] or null
  const void* up_bias;           // T [intermediate] or null
  const void* down_bias;         // T [hidden] or null
  void* y;                       // T [rows, hidden]
  int32_t* active;               // [rows], the number of kept neurons, or null
  uint32_t* exchange;            // plan.scratch_bytes, aligned to 16; see PrepareScratch
  int64_t hidden;
  int64_t intermediate;
  int share, extra;  // set by the launch: intermediate / blocks, intermediate % blocks
  int prefetch_first, prefetch_rows, prefetch_up;  // set by the launch, from the plan
  bool threshold_per_neuron;
  bool scale_per_row;
  bool skip_per_row;  // skip is [rows, hidden]
};

// The functions below return a cudaError_t as int, 0 if all is well. Nothing in them allocates or waits.

int ReadDeviceLimits(int device, DeviceLimits* limits);

// Before the first capture or launch: loads the kernel and raises its limit of shared memory.
int LoadSparseRow(const SparseRowPlan& plan, DType dtype, int64_t hidden);

// Fills scratch as the first launch on it needs it. Launches on one scratch follow each other in one stream.
// It asks for no overlap with what came before, and allows the launch behind it to overlap.
int PrepareScratch(const SparseRowPlan& plan, uint32_t* scratch, CUstream_st* stream);

// overlap: the launch may begin before the kernel before it in the stream has ended (programmatic dependent
// launch, compute capability 9.0 or newer); it reads weights early and nothing else.
int LaunchSparseRow(const SparseRowPlan& plan, DType dtype, const SparseRowArgs& args, bool overlap,
                    CUstream_st* stream);

}  // namespace cats::cuda
