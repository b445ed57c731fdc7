// SPDX-License-Identifier: MIT
// Loading of the kernels of an op on a device.
#include <cuda_runtime.h>

#include "kernels/cuda/dense_rows.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/on_device.h"
#include "kernels/cuda/skip_rms_norm.h"
#include "kernels/cuda/sparse_row.h"
#include "kernels/cuda/sparse_rows.h"

namespace cats::cuda {

const char* NameOf(int error) noexcept { return cudaGetErrorName(static_cast<cudaError_t>(error)); }

int LoadSparseGatedMlp(DType dtype, int device) {
  return OnDevice(device, [&]() -> int {
    DeviceLimits limits;
    if (const int error = ReadDeviceLimits(device, &limits); error != 0) return error;
    for (const int hidden : FusedHidden::kAll) {
      // As many neurons as blocks are enough for a plan that is fused wherever this size can be.
      for (int rows = 1; rows <= kMaxFusedRows; ++rows) {
        const SparseRowPlan plan = PlanSparseRow(limits, dtype, hidden, limits.multiprocessors, true, rows);
        if (!plan.fused) continue;
        if (const int error = LoadSparseRow(plan, dtype, hidden); error != 0) return error;
      }
    }
    if (const int error = LoadSparseRows(limits, dtype); error != 0) return error;
    if (const int error = LoadSkipRmsNorm(dtype); error != 0) return error;
    return LoadDenseRows(dtype);
  });
}

int LoadElementwiseOps(DType dtype, int device) {
  return OnDevice(device, [&] { return LoadElementwise(dtype); });
}

}  // namespace cats::cuda
