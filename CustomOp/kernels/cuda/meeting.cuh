// SPDX-License-Identifier: MIT
// A barrier of all blocks of a launch whose words may hold anything at first, so that nothing has to be
// launched to prepare them: an answer counts where it repeats what the asker chose after reading what lay
// there.
#pragma once
#include "kernels/cuda/device_memory.cuh"
#include "kernels/cuda/launch_plan.h"
#include "kernels/cuda/row_math.cuh"

namespace cats::cuda {

// By one warp of each block of a cooperative launch, behind a __syncthreads; returns when all blocks have
// come. words: [MeetingWords(blocks)] of global memory, aligned to 8, of this launch alone:
//   call         block 0's: a value that no told word had when it looked
//   told[c]      block c's: the call that it has heard, and which answer it waits for
//   answer[c]    block 0's
// A block tells nothing before it has come. So a told word that turns into the call shows that its block has,
// and when all have, block 0 answers: to each with another value than what lay there, once.
__device__ __forceinline__ void MeetOtherBlocks(uint64_t* words, int block, int blocks, int lane) {
  constexpr int kPeers = kMaxBlocks / 32;
  constexpr uint64_t kCall = 0xffffffffu;  // of told: the call; above it the answer waited for
  uint64_t* const call = words;
  uint64_t* const told = words + 1;
  uint64_t* const answer = told + blocks;
  if (block != 0) {
    if (lane != 0) return;
    const uint64_t wanted = Hear(answer + block) == 0 ? 1 : 0;
    uint64_t heard = Hear(call) & kCall;
    Tell(told + block, wanted << 32 | heard);
    while (Hear(answer + block) != wanted) {
      __nanosleep(100);
      const uint64_t now = Hear(call) & kCall;
      if (now == heard) continue;
      heard = now;
      Tell(told + block, wanted << 32 | heard);
    }
    return;
  }
  uint64_t lay[kPeers];
#pragma unroll
  for (int k = 0; k < kPeers; ++k) {
    const int c = lane + 32 * k;
    lay[k] = c == 0 || c >= blocks ? ~0ull : Hear(told + c) & kCall;
  }
  uint64_t chosen = 0;
  for (bool taken = true; taken; chosen += taken) {
    taken = false;
#pragma unroll
    for (int k = 0; k < kPeers; ++k) taken = taken || lay[k] == chosen;
    taken = __any_sync(kAll, taken);
  }
  if (lane == 0) Tell(call, chosen);
#pragma unroll
  for (int k = 0; k < kPeers; ++k) {
    const int c = lane + 32 * k;
    if (c == 0 || c >= blocks) continue;
    while (((lay[k] = Hear(told + c)) & kCall) != chosen) __nanosleep(100);
  }
  __syncwarp();
#pragma unroll
  for (int k = 0; k < kPeers; ++k) {
    const int c = lane + 32 * k;
    if (c != 0 && c < blocks) Tell(answer + c, lay[k] >> 32);
  }
}

}  // namespace cats::cuda
