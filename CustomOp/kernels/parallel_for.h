// SPDX-License-Identifier: MIT
// How a kernel spreads its work: the ops hand in ONNX Runtime's intra-op pool, tests and benchmarks their
// own.
#pragma once
#include <cstdint>

namespace cats {

struct ParallelFor {
  using Body = void (*)(void* arg, int64_t task);

  // Calls body(arg, task) once for each task in [0, tasks), on any thread and in any order (idle threads
  // take the next task), and returns when all are done. False: the pool failed; the kernel returns false.
  bool (*run)(void* pool, int64_t tasks, Body body, void* arg) noexcept;
  void* pool;
  int32_t threads;  // how many threads take part, 0 where unknown; may shape the work, never the result

  bool operator()(int64_t tasks, Body body, void* arg) const noexcept { return run(pool, tasks, body, arg); }
};

// Everything on the calling thread.
inline bool RunSerially(void*, int64_t tasks, ParallelFor::Body body, void* arg) noexcept {
  for (int64_t task = 0; task < tasks; ++task) body(arg, task);
  return true;
}
inline ParallelFor SerialFor() noexcept { return {RunSerially, nullptr, 1}; }

}  // namespace cats
