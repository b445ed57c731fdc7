// SPDX-License-Identifier: MIT
// A ParallelFor with a given number of threads, which take tasks from one counter in changing order.
#pragma once
#include <atomic>
#include <thread>
#include <vector>

#include "kernels/parallel_for.h"

namespace cats::test {

class ThreadPool {
 public:
  explicit ThreadPool(int threads) : threads_(threads) {}

  ParallelFor get() {
    return {[](void* pool, int64_t tasks, ParallelFor::Body body, void* arg) noexcept {
              const int threads = static_cast<ThreadPool*>(pool)->threads_;
              std::atomic<int64_t> next{0};
              const auto work = [&] {
                // From the last task to the first: kernels must not rely on the order.
                for (int64_t task = next++; task < tasks; task = next++) body(arg, tasks - 1 - task);
              };
              std::vector<std::thread> others;
              for (int i = 1; i < threads; ++i) others.emplace_back(work);
              work();
              for (std::thread& thread : others) thread.join();
              return true;
            },
            this, threads_};
  }

 private:
  int threads_;
};

}  // namespace cats::test
