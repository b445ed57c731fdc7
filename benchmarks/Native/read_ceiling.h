// SPDX-License-Identifier: MIT
// How fast this machine reads memory, measured beside the kernels so that noise hits both.
#pragma once
#include <cstddef>

namespace cats::bench {

// Bytes per second of `threads` threads that read [data, data + size) once, each its own part.
double ReadBandwidth(const void* data /* [size] */, size_t size, int threads);

}  // namespace cats::bench
