// SPDX-License-Identifier: MIT
// Runs CUDA kernels on the CPU, to test their logic where there is no GPU: every thread is a fiber, fibers
// take turns in an order drawn anew each round, a block may begin late, a warp may get no turn for a while,
// and a copy that was asked for arrives at a time of its own.
// So a kernel that counts on an order which it did not ask for shows it, and one that waits for what never
// comes is seen to. Memory has one order here, and nothing is timed: fences that are missing do not show.
// Behind this header kernels/cuda/*.cuh compile as C++; the folder beside it has the three that hold
// assembly.
#pragma once
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#define __host__
#define __device__
#define __global__
#define __forceinline__ inline
#define __noinline__
#define __shared__ static  // blocks that have such variables run one after the other (LaunchApart)
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) alignas(n)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
inline dim3 gridDim, blockDim;  // of the launch that runs
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace cats::emulator {

struct Barrier {
  int arrived = 0;
  uint64_t phase = 0;
};

// An mbarrier: its phase turns when all have arrived and all bytes that they expected are there.
struct BytesBarrier {
  int arrivals, missing;
  int64_t bytes;
  int phase;
};

struct Warp {
  Barrier barrier;
  std::array<std::array<uint64_t, 4>, 32> given[2];  // by lane; two, so that the next exchange may begin
};

struct Block {
  std::unique_ptr<unsigned char, void (*)(void*)> shared{nullptr, std::free};
  Barrier all, named;
  std::vector<Warp> warps;
  std::map<const void*, BytesBarrier> barriers;
};

using Stack = std::unique_ptr<char[]>;
constexpr size_t kStackBytes = 48 << 10;
constexpr unsigned kAwake = 150, kAsleep = 200;  // rounds: the mean, times the blocks, and the most
constexpr unsigned kLate = 8;                    // one block of so many begins late

struct Fiber {
  ucontext_t context;  // until it has begun; then jumps, which make no system call
  jmp_buf at;
  bool begun = false;
  dim3 thread, block_index;
  Block* block;
  bool done = false;
};

struct Copy {
  void* to;
  const void* from;
  uint32_t bytes;
  Block* block;
  const void* barrier;
};

inline Fiber* current;
inline jmp_buf scheduler;
inline std::vector<Copy> copies;
inline std::vector<Stack> stacks;  // of fibers, for the next launch too

inline void Yield() {
  if (_setjmp(current->at) == 0) _longjmp(scheduler, 1);
}

// Gives a fiber its turn.
[[gnu::noinline]] inline void Resume(Fiber* fiber) {
  current = fiber;
  if (_setjmp(scheduler) != 0) return;
  if (current->begun) _longjmp(current->at, 1);
  current->begun = true;
  setcontext(&current->context);
}

inline void Wait(Barrier& barrier, unsigned threads) {
  const uint64_t phase = barrier.phase;
  if (++barrier.arrived == static_cast<int>(threads)) {
    barrier.arrived = 0;
    ++barrier.phase;
  } else {
    while (barrier.phase == phase) Yield();
  }
}

inline unsigned Lane() { return current->thread.x % 32; }

// What every lane of the warp gave; all must call it.
template <class V>
std::array<V, 32> Gather(const V& value) {
  static_assert(sizeof(V) <= 32);
  Warp& warp = current->block->warps[current->thread.x / 32];
  auto& given = warp.given[warp.barrier.phase % 2];
  std::memcpy(&given[Lane()], &value, sizeof value);
  Wait(warp.barrier, 32);
  std::array<V, 32> all;
  for (size_t lane = 0; lane < 32; ++lane) std::memcpy(&all[lane], &given[lane], sizeof(V));
  return all;
}

inline void TurnIfComplete(BytesBarrier& barrier) {
  if (barrier.missing != 0 || barrier.bytes != 0) return;
  barrier.phase ^= 1;
  barrier.missing = barrier.arrivals;
}

inline const std::function<void()>* body;

inline void Prepare(Fiber& fiber, const Stack& stack) {
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = stack.get();
  fiber.context.uc_stack.ss_size = kStackBytes;
  fiber.context.uc_link = nullptr;
  makecontext(
      &fiber.context,
      +[] {
        (*body)();
        current->done = true;
        _longjmp(scheduler, 1);
      },
      0);
}

// Runs `kernel` once for each thread of these blocks, which take turns. An exception, with how many threads
// of each warp are left, where they still wait after `most_rounds` turns of each.
inline void RunTogether(const std::vector<dim3>& blocks, unsigned threads, size_t shared_bytes,
                        const std::function<void()>& kernel, std::mt19937& random, int most_rounds) {
  body = &kernel;
  blockDim = {threads, 1, 1};
  copies.clear();
  std::vector<Block> all(blocks.size());
  for (Block& block : all) {
    const size_t size = (shared_bytes + 127) / 128 * 128;
    block.shared.reset(static_cast<unsigned char*>(std::aligned_alloc(128, size)));
    std::memset(block.shared.get(), 0xcd, size);  // nobody may count on zeros
    block.warps.resize(threads / 32);
  }
  std::vector<Fiber> fibers(blocks.size() * threads);
  while (stacks.size() < fibers.size()) stacks.emplace_back(new char[kStackBytes]);
  std::vector<Fiber*> order;
  for (size_t i = 0; i < fibers.size(); ++i) {
    Fiber& fiber = fibers[i];
    fiber.thread = {static_cast<unsigned>(i % threads), 0, 0};
    fiber.block_index = blocks[i / threads];
    fiber.block = &all[i / threads];
    Prepare(fiber, stacks[i]);
    order.push_back(&fiber);
  }
  // Some blocks begin late, and at times a warp gets no turn for a while, so that others run far ahead.
  const size_t warps = threads / 32;
  std::vector<int> asleep_until(blocks.size() * warps, 0);
  for (size_t block = 0; block < blocks.size(); ++block) {
    const unsigned late = random() % kLate == 0 ? random() % kAsleep : 0;
    std::fill_n(asleep_until.begin() + static_cast<int64_t>(block * warps), warps, static_cast<int>(late));
  }
  for (int round = 0; !order.empty(); ++round) {
    if (round == most_rounds) {
      std::map<unsigned, int> waiting;
      for (const Fiber* fiber : order) ++waiting[fiber->thread.x / 32];
      std::string text = "the kernel waits for ever:";
      for (const auto& [warp, count] : waiting) {
        text.append(" ")
            .append(std::to_string(count))
            .append(" threads of warps ")
            .append(std::to_string(warp));
      }
      throw std::runtime_error(text);
    }
    std::shuffle(order.begin(), order.end(), random);
    for (int& until : asleep_until) {
      if (until <= round && random() % (kAwake * blocks.size()) == 0)
        until = round + static_cast<int>(random() % kAsleep);
    }
    for (Fiber* fiber : order) {
      const auto block = static_cast<size_t>(fiber->block - all.data());
      if (asleep_until[block * warps + fiber->thread.x / 32] <= round) Resume(fiber);
    }
    std::erase_if(order, [](const Fiber* fiber) { return fiber->done; });
    std::shuffle(copies.begin(), copies.end(), random);
    for (size_t arriving = (copies.size() + 1) / 2; arriving > 0; --arriving) {
      const Copy copy = copies.back();
      copies.pop_back();
      std::memcpy(copy.to, copy.from, copy.bytes);
      BytesBarrier& barrier = copy.block->barriers.at(copy.barrier);
      barrier.bytes -= copy.bytes;
      TurnIfComplete(barrier);
    }
  }
}

// A launch whose blocks are all there at once.
inline void Launch(unsigned blocks, unsigned threads, size_t shared_bytes,
                   const std::function<void()>& kernel, uint32_t seed, int most_rounds = 20000) {
  std::mt19937 random(seed);
  gridDim = {blocks, 1, 1};
  std::vector<dim3> all;
  for (unsigned b = 0; b < blocks; ++b) all.push_back({b, 0, 0});
  RunTogether(all, threads, shared_bytes, kernel, random, most_rounds);
}

// A launch whose blocks know nothing of each other: one at a time, in a random order.
inline void LaunchApart(dim3 blocks, unsigned threads, size_t shared_bytes,
                        const std::function<void()>& kernel, uint32_t seed, int most_rounds = 20000) {
  std::mt19937 random(seed);
  gridDim = blocks;
  std::vector<dim3> all;
  for (unsigned y = 0; y < blocks.y; ++y) {
    for (unsigned x = 0; x < blocks.x; ++x) all.push_back({x, y, 0});
  }
  std::shuffle(all.begin(), all.end(), random);
  for (const dim3& block : all) RunTogether({block}, threads, shared_bytes, kernel, random, most_rounds);
}

}  // namespace cats::emulator

#include "emulator/intrinsics.h"
