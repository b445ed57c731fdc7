// SPDX-License-Identifier: MIT
// What the choice of a CUDA kernel looks at: plain C++.
#pragma once

namespace cats::cuda {

struct DeviceLimits {
  int multiprocessors;
  int compute_capability;  // 90 for 9.0
  int shared_bytes;        // a block may ask for
  bool cooperative_launch;
};

}  // namespace cats::cuda
