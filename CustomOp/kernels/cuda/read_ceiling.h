// SPDX-License-Identifier: MIT
// How fast this device reads memory: the ceiling that a kernel bound by memory is judged by.
#pragma once
#include <cstdint>

namespace cats::cuda {

// Reads `bytes` of fresh memory `repeats` times with 16-byte loads and gives the fastest rate, in bytes a
// second. Waits. A cudaError_t as int, 0 if all is well.
int MeasureReadCeiling(int device, int64_t bytes, int repeats, double* bytes_per_second);

}  // namespace cats::cuda
