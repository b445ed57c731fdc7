// SPDX-License-Identifier: MIT
// One row of SparseGatedMlp in one cooperative launch, one block per multiprocessor (sm_90).
// docs/decisions/0010-cuda-one-row.md says how it works and what else was tried.
#pragma once
#include <cstdint>

#include "formats/bf16.h"
#include "formats/f16.h"
#include "formats/f32.h"
#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/launch_plan.h"
#include "kernels/decision.h"
#include "kernels/silu.h"

namespace cats::cuda {

constexpr uint32_t kAll = 0xffffffffu;

// ---- What differs between the stored formats -------------------------------------------------------------

__device__ __forceinline__ float2 Unpack(F16, uint32_t pair) {
  float2 v;
  asm("{ .reg .b16 a, b; mov.b32 {a, b}, %2; cvt.f32.f16 %0, a; cvt.f32.f16 %1, b; }" : "=f"(v.x), "=f"(v.y) : "r"(pair));
  return v;
}
__device__ __forceinline__ float2 Unpack(BF16, uint32_t pair) {
  return {__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u)};
}

// T::ToFloat(T::FromFloat(v)) by the conversion instructions; only a NaN's bits may differ.
__device__ __forceinline__ float Rounded(F16, float v) {
  float rounded;
  asm("{ .reg .b16 h; cvt.rn.f16.f32 h, %1; cvt.f32.f16 %0, h; }" : "=f"(rounded) : "f"(v));
  return rounded;
}
__device__ __forceinline__ float Rounded(BF16, float v) {
  uint16_t rounded;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded) : "f"(v));
  return __uint_as_float(static_cast<uint32_t>(rounded) << 16);
}
__device__ __forceinline__ float Rounded(F32, float v) { return v; }

// c += A (16 x 16, row-major) times B (16 x 8, column-major).
__device__ __forceinline__ void MatrixFma(F16, float (&c)[4], const uint4& a, uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}
__device__ __forceinline__ void MatrixFma(BF16, float (&c)[4], const uint4& a, uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}

__device__ __forceinline__ float SumOfWarp(float v) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) v += __shfl_xor_sync(kAll, v, distance);
  return v;
}

// A warp's dot product of a row in shared memory with x, which the warp holds in the same places (ForDot).
// 16-bit formats, on the tensor cores: in each chunk of 512 bytes lane 4g + t holds 8 elements of segment g. The
// segments of the weights are the columns of B; those of x are the rows of A, their first halves rows 0 to 7 and
// their second halves rows 8 to 15, as the registers lie. So the two halves' products are the traces of the upper
// half of A B and, with the weights' second halves as B, of the lower one.
template <class T>
__device__ __forceinline__ uint4 ForDot(uint4 x) {
  return sizeof(T) == 4 ? x : make_uint4(x.x, x.z, x.y, x.w);
}

template <class T, int Chunks>
__device__ __forceinline__ float Dot(const uint4* row /* [Chunks * 32] */, const uint4 (&x)[Chunks], int lane) {
  constexpr int kAhead = 8;  // loads in flight
  float sum[4][4] = {};
#pragma unroll
  for (int begin = 0; begin < Chunks; begin += kAhead) {
    uint4 w[kAhead];
#pragma unroll
    for (int c = 0; c < kAhead; ++c) {
      if (begin + c < Chunks) w[c] = row[(begin + c) * 32 + lane];
    }
#pragma unroll
    for (int c = 0; c < kAhead; ++c) {
      if (begin + c >= Chunks) continue;
      const uint4& v = x[begin + c];
      if constexpr (sizeof(T) == 4) {
        sum[0][0] = fmaf(__uint_as_float(w[c].x), __uint_as_float(v.x), sum[0][0]);
        sum[1][0] = fmaf(__uint_as_float(w[c].y), __uint_as_float(v.y), sum[1][0]);
        sum[2][0] = fmaf(__uint_as_float(w[c].z), __uint_as_float(v.z), sum[2][0]);
        sum[3][0] = fmaf(__uint_as_float(w[c].w), __uint_as_float(v.w), sum[3][0]);
      } else {
        MatrixFma(T{}, sum[c % 2 * 2], v, w[c].x, w[c].y);
        MatrixFma(T{}, sum[c % 2 * 2 + 1], v, w[c].z, w[c].w);
      }
    }
  }
  if constexpr (sizeof(T) == 4) {
    return SumOfWarp((sum[0][0] + sum[1][0]) + (sum[2][0] + sum[3][0]));
  } else {
    const int segment = lane >> 2;
    const float even = (sum[0][0] + sum[2][0]) + (sum[1][2] + sum[3][2]);
    const float odd = (sum[0][1] + sum[2][1]) + (sum[1][3] + sum[3][3]);
    return SumOfWarp((lane & 3) != (segment >> 1) ? 0.0f : (segment & 1) != 0 ? odd : even);
  }
}

// ---- The kernel -------------------------------------------------------------------------------------------

struct SparseRowArgs {
  const void* x;                 // T [hidden]
  const void* gate;              // T [intermediate, hidden], neuron-major
  const void* up;                // T [intermediate, hidden], neuron-major
  const void* down;              // T [intermediate, hidden], neuron-major
  const float* threshold;        // [intermediate] if threshold_per_neuron, else [1]
  const float* threshold_scale;  // [1], or null for 1
  const void* gate_bias;         // T [intermediate] or null
  const void* up_bias;           // T [intermediate] or null
  const void* down_bias;         // T [hidden] or null
  void* y;                       // T [hidden]
  int32_t* active;               // [1], the number of kept neurons, or null
  uint32_t* exchange;            // [plan.exchange_words], all kEmpty before the first launch and after each
  int64_t intermediate;
  int share, extra;              // intermediate / blocks, intermediate % blocks
  bool threshold_per_neuron;
  long long* trace;              // [blocks, kTraceWords] clocks, or null; read in the traced build only
};

constexpr int kTraceWords = 16;

template <class T, int Hidden, int Warps, int Stages>
struct SparseRowShared {
  static constexpr int kRowBytes = Hidden * static_cast<int>(sizeof(T));
  alignas(128) unsigned char ring[Warps][Stages][kRowBytes];
  alignas(128) unsigned char x[kRowBytes];
  alignas(16) uint32_t mask[kMaxBlocks][kMaskWords];  // of every block
  alignas(16) uint32_t own_mask[kMaskWords];
  uint64_t full[Warps][Stages];
  uint64_t x_full;
  unsigned long long found[kMaxNeuronsPerBlock];  // row << 32 | bits of a, in order of discovery; all ones: none yet
  uint32_t threshold_bits[kMaxNeuronsPerBlock];
  float gate_bias[kMaxNeuronsPerBlock];
  float up_bias[kMaxNeuronsPerBlock];
  float h[kMaxDownRows];
  int neuron[kMaxDownRows];  // the rows of down that this block adds up, in the order of the sum
  int rank[kMaxBlocks + 1];  // kept neurons of the blocks before each one
  int order[kMaxDownRows / kSlabs];  // the tasks of down rows: which four of neuron[], in order
  int key[kMaxDownRows / kSlabs];
  int task[Warps][Stages];
  int gate_next, found_next, found_count, decided;
  int down_rows;     // -1: not known yet
  int down_planned;  // how many entries of order[] are there
  int h_ready;       // for how many of them h[] is there
};

__device__ __forceinline__ void Fence() { asm volatile("fence.acq_rel.cta;" ::: "memory"); }

template <class V>
__device__ __forceinline__ V Volatile(const V& value) {
  return *const_cast<const volatile V*>(&value);
}

enum : int { kNone = 0, kEnd = 1, kGate = 1 << 28, kUp = 2 << 28, kDown = 3 << 28, kIndexMask = (1 << 28) - 1 };

template <class T, int Hidden, int Warps, int Stages, int GateDepth, int UpDepth, int DownDepth, bool Order, bool Trace>
__global__ void __launch_bounds__((Warps + 2) * 32, 1) SparseRow(const SparseRowArgs args) {
  using Shared = SparseRowShared<T, Hidden, Warps, Stages>;
  constexpr int kRowBytes = Shared::kRowBytes;
  constexpr int kChunks = kRowBytes / 512;            // 16 bytes of a row for each lane
  constexpr int kSlabChunks = kChunks / kSlabs;       // the same of a slab's part of a row
  constexpr int kSlabBytes = kRowBytes / kSlabs;
  constexpr int kSlabColumns = Hidden / kSlabs;
  constexpr int kPerLane = 16 / static_cast<int>(sizeof(T));
  static_assert(kRowBytes % (512 * kSlabs) == 0);
  extern __shared__ __align__(128) unsigned char shared_bytes[];
  Shared& s = *reinterpret_cast<Shared*>(shared_bytes);

  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int blocks = gridDim.x;
  const int block = blockIdx.x;
  // The first `extra` blocks have one neuron more than `share`.
  const int share = args.share;
  const int extra = args.extra;
  const int first = block * share + min(block, extra);
  const int rows = share + (block < extra ? 1 : 0);
  const int slab = block % kSlabs;
  const int position = block / kSlabs;                       // among the blocks of the slab
  const int positions = (blocks - slab + kSlabs - 1) / kSlabs;
  const SparseRowExchange exchange(blocks, args.intermediate, Hidden);
  long long* trace = Trace ? args.trace + static_cast<int64_t>(block) * kTraceWords : nullptr;
  if (Trace && threadIdx.x == 0) {
    trace[0] = clock64();
    unsigned smid;
    long long now;
    asm volatile("mov.u32 %0, %%smid;" : "=r"(smid));
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    trace[10] = smid;
    trace[11] = now;
  }
  AllowNextKernel();

  uint64_t policy = 0;
  policy = EvictFirst();
  const auto copy = [&](void* to, const unsigned char* from, uint32_t bytes, uint64_t* barrier) {
    BulkCopy(to, from, bytes, barrier, policy);
  };
  const auto* gate = static_cast<const unsigned char*>(args.gate) + static_cast<int64_t>(first) * kRowBytes;
  const auto* up = static_cast<const unsigned char*>(args.up) + static_cast<int64_t>(first) * kRowBytes;
  const auto* down = static_cast<const unsigned char*>(args.down) + slab * kSlabBytes;

  constexpr int kDepth = GateDepth;  // rows of a warp in flight
  int issued = 0;
  if (warp < Warps) {
    // The first gate rows start before anything else; they depend on nothing.
    if (lane == 0) {
      for (int i = 0; i < Stages; ++i) BarrierInit(&s.full[warp][i]);
      BarrierInitFence();
      for (int i = 0; i < kDepth; ++i) {
        const int r = i * Warps + warp;
        if (r < rows) {
          s.task[warp][i] = kGate | r;
          BarrierExpect(&s.full[warp][i], kRowBytes);
          copy(s.ring[warp][i], gate + static_cast<int64_t>(r) * kRowBytes, kRowBytes, &s.full[warp][i]);
        }
      }
    }
    for (int i = 0; i < kDepth; ++i) issued += i * Warps + warp < rows ? 1 : 0;
    WaitForPreviousKernel();
    for (int r = threadIdx.x; r < kMaxNeuronsPerBlock; r += Warps * 32) s.found[r] = ~0ull;
  } else {
    if (threadIdx.x == Warps * 32) {
      BarrierInit(&s.x_full);
      BarrierInitFence();
      s.gate_next = Warps * kDepth;
      s.found_next = s.found_count = s.decided = 0;
      s.down_rows = -1;
      s.down_planned = s.h_ready = 0;
    }
    if (lane < kMaskWords) s.own_mask[lane] = 0;
    WaitForPreviousKernel();
    if (threadIdx.x == Warps * 32) {
      BarrierExpect(&s.x_full, kRowBytes);
      BulkCopy(s.x, args.x, kRowBytes, &s.x_full);
    }
    const float scale = args.threshold_scale == nullptr ? 1.0f : *args.threshold_scale;
    for (int r = threadIdx.x - Warps * 32; r < rows; r += 64) {
      const int i = first + r;
      s.threshold_bits[r] = ThresholdBits(args.threshold[args.threshold_per_neuron ? i : 0], scale);
      s.gate_bias[r] = args.gate_bias == nullptr ? 0.0f : T::ToFloat(static_cast<const T*>(args.gate_bias)[i]);
      s.up_bias[r] = args.up_bias == nullptr ? 0.0f : T::ToFloat(static_cast<const T*>(args.up_bias)[i]);
    }
  }
  // The groups of 4 columns that this block finishes.
  constexpr int kGroups = kSlabColumns / 4;
  const int group_begin = static_cast<int>(static_cast<uint32_t>(kGroups * position) / static_cast<uint32_t>(positions));
  const int groups =
      static_cast<int>(static_cast<uint32_t>(kGroups * (position + 1)) / static_cast<uint32_t>(positions)) - group_begin;
  __syncthreads();

  if (warp < Warps) {
    uint4 x[kChunks];
    BarrierWait(&s.x_full, 0);
#pragma unroll
    for (int c = 0; c < kChunks; ++c) x[c] = ForDot<T>(reinterpret_cast<const uint4*>(s.x)[c * 32 + lane]);

    int phase = 0;      // 0: gate rows, 1: up rows, 2: down rows, 3: nothing left
    int claimed = -1;   // an entry of found[] that this warp has claimed and that is not there yet
    int chunk = warp;   // the next down task
    int done = 0;
    float sum[kSlabChunks][kPerLane] = {};

    // The next task of this warp, the same in all lanes; kNone if there is none yet, kEnd if never again.
    const auto next = [&]() -> int {
      if (phase == 0) {
        int r = 0;
        if (lane == 0) r = atomicAdd(&s.gate_next, 1);
        r = __shfl_sync(kAll, r, 0);
        if (r < rows) return kGate | r;
        phase = 1;
        if (Trace && threadIdx.x == 0) trace[12] = clock64();
      }
      if (phase == 1) {
        int found = 0;  // 0: not yet, 1: yes, 2: never
        if (lane == 0) {
          if (claimed < 0) claimed = atomicAdd(&s.found_next, 1);
          if (claimed < rows && Volatile(s.found[claimed]) != ~0ull) {
            found = 1;
          } else if (Volatile(s.decided) == rows) {
            Fence();
            found = claimed < Volatile(s.found_count) ? (Volatile(s.found[claimed]) != ~0ull ? 1 : 0) : 2;
          }
        }
        found = __shfl_sync(kAll, found, 0);
        if (found == 0) return kNone;
        if (found == 1) {
          const int u = __shfl_sync(kAll, claimed, 0);
          claimed = -1;
          return kUp | u;
        }
        phase = 2;
        if (Trace && threadIdx.x == 0) trace[3] = clock64();
      }
      if (phase == 2) {
        int planned = 0, total = 0;
        if (lane == 0) {
          total = Volatile(s.down_rows);
          planned = Volatile(s.down_planned);
        }
        total = __shfl_sync(kAll, total, 0);
        if (total < 0) return kNone;
        if (chunk * kSlabs < total) {
          planned = __shfl_sync(kAll, planned, 0);
          if (planned <= chunk) return kNone;
          Fence();
          const int task = kDown | chunk;
          chunk += Warps;
          return task;
        }
        phase = 3;
      }
      return kEnd;
    };

    const auto issue = [&](int task) {
      const int slot = issued % Stages;
      const int index = task & kIndexMask;
      uint64_t* barrier = &s.full[warp][slot];
      unsigned char* to = s.ring[warp][slot];
      if (task >= kDown) {
        const int begin = s.order[index] * kSlabs;
        const int count = min(kSlabs, Volatile(s.down_rows) - begin);
        if (lane == 0) {
          s.task[warp][slot] = task;
          BarrierExpect(barrier, count * kSlabBytes);
        }
        __syncwarp();
        if (lane < count) {
          copy(to + lane * kSlabBytes, down + static_cast<int64_t>(s.neuron[begin + lane]) * kRowBytes, kSlabBytes,
               barrier);
        }
      } else if (lane == 0) {
        s.task[warp][slot] = task;
        BarrierExpect(barrier, kRowBytes);
        if (task >= kUp) {
          const int r = static_cast<int>(Volatile(s.found[index]) >> 32);
          copy(to, up + static_cast<int64_t>(r) * kRowBytes, kRowBytes, barrier);
        } else {
          copy(to, gate + static_cast<int64_t>(index) * kRowBytes, kRowBytes, barrier);
        }
      }
      ++issued;
      __syncwarp();
    };

    bool more = true;
    for (;;) {
      bool starving = false;
      const int depth = phase == 0 ? GateDepth : phase == 1 ? UpDepth : DownDepth;
      if (more && issued - done < depth) {
        const int task = next();
        if (task == kEnd) {
          more = false;
        } else if (task != kNone) {
          issue(task);
          continue;
        } else {
          starving = true;
        }
      }
      if (issued == done) {
        if (!more) break;
        __nanosleep(20);
        continue;
      }
      const int slot = done % Stages;
      const uint32_t parity = (done / Stages) & 1;
      if (starving) {
        const bool here = BarrierTest(&s.full[warp][slot], parity);
        if (!__all_sync(kAll, here)) continue;
      } else {
        BarrierWait(&s.full[warp][slot], parity);
      }
      if (more && issued - done < Stages && issued - done <= depth) {
        const int task = next();
        if (task == kEnd) {
          more = false;
        } else if (task != kNone) {
          issue(task);
        }
      }
      if (Trace && threadIdx.x == 0 && done == 0) trace[1] = clock64();
      const int task = s.task[warp][slot];
      const int index = task & kIndexMask;
      const auto* data = reinterpret_cast<const uint4*>(s.ring[warp][slot]);
      if (task >= kDown) {
        const int begin = s.order[index] * kSlabs;
        const int count = min(kSlabs, Volatile(s.down_rows) - begin);
        while (Volatile(s.h_ready) <= index) __nanosleep(20);
        Fence();
        __syncwarp();
        const auto add = [&](int i) {
          const float h = s.h[begin + i];
#pragma unroll
          for (int c = 0; c < kSlabChunks; ++c) {
            const uint4 w = data[(i * kSlabChunks + c) * 32 + lane];
            const uint32_t words[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
            for (int e = 0; e < 4; ++e) {
              if constexpr (sizeof(T) == 4) {
                sum[c][e] = fmaf(h, __uint_as_float(words[e]), sum[c][e]);
              } else {
                const float2 pair = Unpack(T{}, words[e]);
                sum[c][2 * e] = fmaf(h, pair.x, sum[c][2 * e]);
                sum[c][2 * e + 1] = fmaf(h, pair.y, sum[c][2 * e + 1]);
              }
            }
          }
        };
        if (count == kSlabs) {
#pragma unroll
          for (int i = 0; i < kSlabs; ++i) add(i);
        } else {
          for (int i = 0; i < count; ++i) add(i);
        }
      } else {
        const float dot = Dot<T>(data, x, lane);
        if (task >= kUp) {
          const unsigned long long entry = s.found[index];
          const int r = static_cast<int>(entry >> 32);
          const float value = args.up_bias == nullptr ? dot : __fadd_rn(dot, s.up_bias[r]);
          const float h = __fmul_rn(__uint_as_float(static_cast<uint32_t>(entry)), value);
          if (lane == 0) {
            const uint32_t bits = Sendable(h);
            Send(reinterpret_cast<Words*>(args.exchange + exchange.h) + (first + r), {bits, bits, bits, bits});
          }
        } else {
          const float biased = args.gate_bias == nullptr ? dot : __fadd_rn(dot, s.gate_bias[index]);
          const float a = Rounded(T{}, Silu(Rounded(T{}, biased)));
          if (lane == 0) {
            if (IsKept(a, s.threshold_bits[index])) {
              const int u = atomicAdd(&s.found_count, 1);
              *const_cast<volatile unsigned long long*>(&s.found[u]) =
                  static_cast<unsigned long long>(index) << 32 | __float_as_uint(a);
              atomicOr(&s.own_mask[index / kMaskBits], 1u << (index % kMaskBits));
            }
            Fence();
            atomicAdd(&s.decided, 1);
          }
        }
      }
      __syncwarp();
      ++done;
    }
    // The sums of this warp, where its first stage was.
#pragma unroll
    for (int c = 0; c < kSlabChunks; ++c) {
      auto* out = reinterpret_cast<float4*>(s.ring[warp][0]) + (c * 32 + lane) * (kPerLane / 4);
#pragma unroll
      for (int e = 0; e < kPerLane / 4; ++e) {
        out[e] = make_float4(sum[c][4 * e], sum[c][4 * e + 1], sum[c][4 * e + 2], sum[c][4 * e + 3]);
      }
    }
  } else if (warp == Warps) {
    // This warp tells the other blocks which neurons are kept and plans the block's down rows.
    static_assert(kMaskWords == 4);
    constexpr int kPeers = kMaxBlocks / 32;
    constexpr int kShares = (kMaxBlocks / kSlabs + 31) / 32;
    const int peers = (blocks + 31) / 32;  // each lane looks after this many blocks in a row
    auto* cells = reinterpret_cast<Words*>(args.exchange + exchange.masks);  // [to, from]
    auto* inbox = cells + static_cast<int64_t>(block) * blocks;
    int gate_cost[kShares];
#pragma unroll
    for (int k = 0; k < kShares; ++k) {
      gate_cost[k] = kSlabs * (share + ((lane + 32 * k) * kSlabs + slab < extra ? 1 : 0));
    }
    while (Volatile(s.decided) < rows) {
    }
    Fence();
    __syncwarp();
    if (Trace && lane == 0) trace[2] = clock64();
    {
      const Words own = {s.own_mask[0], s.own_mask[1], s.own_mask[2], s.own_mask[3]};
      for (int to = lane; to < blocks; to += 32) Send(cells + static_cast<int64_t>(to) * blocks + block, own);
    }
    int kept[kPeers];
    {
      uint32_t missing = 0;
#pragma unroll
      for (int k = 0; k < kPeers; ++k) {
        kept[k] = 0;
        if (k < peers && lane * peers + k < blocks) missing |= 1u << k;
      }
      while (missing != 0) {
        Words got[kPeers];
#pragma unroll
        for (int k = 0; k < kPeers; ++k) {
          if (missing >> k & 1u) got[k] = Peek(inbox + lane * peers + k);
        }
#pragma unroll
        for (int k = 0; k < kPeers; ++k) {
          if ((missing >> k & 1u) != 0 && IsFull(got[k])) {
            const int from = lane * peers + k;
            *reinterpret_cast<Words*>(s.mask[from]) = got[k];
            kept[k] = __popc(got[k].x) + __popc(got[k].y) + __popc(got[k].z) + __popc(got[k].w);
            Send(inbox + from, {kEmpty, kEmpty, kEmpty, kEmpty});
            missing &= ~(1u << k);
          }
        }
      }
    }
    __syncwarp();
    if (Trace && lane == 0) trace[4] = clock64();
    // rank[]: exclusive prefix sum of the kept neurons.
    int before = 0;
#pragma unroll
    for (int k = 0; k < kPeers; ++k) before += kept[k];
    const int of_lane = before;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
      const int other = __shfl_up_sync(kAll, before, distance);
      if (lane >= distance) before += other;
    }
    const int total = __shfl_sync(kAll, before, 31);
    before -= of_lane;
#pragma unroll
    for (int k = 0; k < kPeers; ++k) {
      if (k < peers && lane * peers + k < blocks) s.rank[lane * peers + k] = before;
      before += kept[k];
    }
    if (lane == 0) {
      s.rank[blocks] = total;
      if (block == 0 && args.active != nullptr) *args.active = total;
    }
    __syncwarp();
    // Each block of a slab adds up a range of the kept neurons in their order. Its size makes up for the
    // block's gate and up rows (a whole row is kSlabs parts), so that all blocks read the same amount.
    int cost[kShares];
    bool in[kShares];
#pragma unroll
    for (int k = 0; k < kShares; ++k) {
      const int p = lane + 32 * k;
      in[k] = p < positions;
      const int b = in[k] ? p * kSlabs + slab : 0;
      cost[k] = in[k] ? gate_cost[k] + kSlabs * (s.rank[b + 1] - s.rank[b]) : 0;
    }
    int level, rest;
    for (bool again = true; again;) {
      int members = 0, work = 0;
      bool over = false;
#pragma unroll
      for (int k = 0; k < kShares; ++k) {
        members += __popc(__ballot_sync(kAll, in[k]));
        work += in[k] ? cost[k] : 0;
      }
      work = total + __reduce_add_sync(kAll, work);
      level = static_cast<int>(static_cast<uint32_t>(work) / static_cast<uint32_t>(members));
      rest = work - level * members;
#pragma unroll
      for (int k = 0; k < kShares; ++k) {
        if (in[k] && cost[k] > level) in[k] = false, over = true;
      }
      again = __any_sync(kAll, over);
    }
    int begin = 0, size = 0;
    {
      int places = 0;
#pragma unroll
      for (int k = 0; k < kShares; ++k) {
        const uint32_t members = __ballot_sync(kAll, in[k]);
        const int place = places + __popc(members & ((1u << lane) - 1));
        const int mine = in[k] ? level - cost[k] + (place < rest ? 1 : 0) : 0;
        if (lane + 32 * k < position) begin += mine;
        if (lane + 32 * k == position) size = mine;
        places += __popc(members);
      }
      begin = __reduce_add_sync(kAll, begin);
      size = __reduce_add_sync(kAll, size);
    }
    if (lane == 0) *const_cast<volatile int*>(&s.down_rows) = size;
    const int tasks = (size + kSlabs - 1) / kSlabs;
    const bool sorted = Order && tasks > 32;
    // neuron[]: the neuron of each rank in the range.
    int from = 0;
    {
      bool mine = false;  // does one of the lane's blocks hold rank `begin`?
      before -= of_lane;
#pragma unroll
      for (int k = 0; k < kPeers; ++k) {
        if (begin >= before && begin < before + kept[k]) from = lane * peers + k, mine = true;
        before += kept[k];
      }
      const uint32_t holder = __ballot_sync(kAll, mine);
      from = __shfl_sync(kAll, from, holder == 0 ? 0 : __ffs(holder) - 1);
    }
    for (int base = 0; base < size; base += 32) {
      const int i = base + lane;
      if (i < size) {
        const int rank = begin + i;
        while (s.rank[from + 1] <= rank) ++from;
        int left = rank - s.rank[from];
        if (lane % kSlabs == 0) s.key[i / kSlabs] = left, s.order[i / kSlabs] = i / kSlabs;
        const Words words = *reinterpret_cast<const Words*>(s.mask[from]);
        const int n0 = __popc(words.x), n1 = __popc(words.y), n2 = __popc(words.z);
        uint32_t bits = words.x;
        int bit = 0;
        if (left >= n0) left -= n0, bits = words.y, bit = kMaskBits;
        if (bit == kMaskBits && left >= n1) left -= n1, bits = words.z, bit = 2 * kMaskBits;
        if (bit == 2 * kMaskBits && left >= n2) left -= n2, bits = words.w, bit = 3 * kMaskBits;
#pragma unroll
        for (int half = 16; half > 0; half /= 2) {
          const int low = __popc(bits & ((1u << half) - 1));
          if (left >= low) {
            left -= low;
            bits >>= half;
            bit += half;
          }
        }
        s.neuron[i] = from * share + min(from, extra) + bit;
      }
      if (!sorted) {
        Fence();
        __syncwarp();
        if (lane == 0) *const_cast<volatile int*>(&s.down_planned) = min(base / kSlabs + 32 / kSlabs, tasks);
      }
    }
    __syncwarp();
    if (sorted) {
      // First what its block computes first: a neuron's place among the kept ones of its block.
      for (int j = lane; j < tasks; j += 32) {
        const int key = s.key[j];
        int place = 0;
#pragma unroll 8
        for (int other = 0; other < tasks; ++other) {
          const int k = s.key[other];
          place += k < key || (k == key && other < j) ? 1 : 0;
        }
        s.order[place] = j;
      }
      Fence();
      __syncwarp();
      if (lane == 0) *const_cast<volatile int*>(&s.down_planned) = tasks;
    }
    if (Trace && lane == 0) trace[5] = clock64();
  } else {
    // This warp collects h of the block's down rows and empties their cells: 8 tasks of 4 rows at a time, thrice.
    constexpr int kTogether = 3;
    int size;
    while ((size = Volatile(s.down_rows)) < 0) __nanosleep(100);
    const int tasks = (size + kSlabs - 1) / kSlabs;
    for (int base = 0; base < tasks; base += 8 * kTogether) {
      const int here = min(base + 8 * kTogether, tasks);
      while (Volatile(s.down_planned) < here) __nanosleep(20);
      Fence();
      __syncwarp();
      int at[kTogether];
      uint32_t* cell[kTogether];
      uint32_t value[kTogether];
      bool waiting[kTogether];
#pragma unroll
      for (int k = 0; k < kTogether; ++k) {
        const int task = base + 8 * k + lane / kSlabs;
        at[k] = task < tasks ? s.order[task] * kSlabs + lane % kSlabs : size;
        waiting[k] = at[k] < size;
        cell[k] = waiting[k] ? args.exchange + exchange.h + static_cast<int64_t>(s.neuron[at[k]]) * kSlabs + slab : nullptr;
        value[k] = kEmpty;
      }
      int ready = 0;
      while (ready < kTogether) {
#pragma unroll
        for (int k = 0; k < kTogether; ++k) {
          if (waiting[k]) value[k] = Peek(cell[k]);
        }
#pragma unroll
        for (int k = 0; k < kTogether; ++k) {
          if (waiting[k] && value[k] != kEmpty) {
            s.h[at[k]] = __uint_as_float(value[k]);
            Send(cell[k], kEmpty);
            waiting[k] = false;
          }
          if (ready == k && __all_sync(kAll, !waiting[k])) ready = k + 1;
        }
        Fence();
        __syncwarp();
        if (lane == 0) *const_cast<volatile int*>(&s.h_ready) = min(base + 8 * ready, tasks);
      }
    }
    if (Trace && lane == 0) trace[6] = clock64();
  }
  __syncthreads();
  if (Trace && threadIdx.x == 0) trace[7] = clock64();

  // The block's sums go to the blocks of the slab that finish these columns; each finishes some groups of 4.
  auto* parts = reinterpret_cast<Words*>(args.exchange + exchange.parts) +
                static_cast<int64_t>(slab) * exchange.max_positions * kGroups;  // [position, kGroups]
  for (int q = threadIdx.x; q < kGroups; q += (Warps + 2) * 32) {
    float4 v = reinterpret_cast<const float4*>(s.ring[0][0])[q];
#pragma unroll
    for (int w = 1; w < Warps; ++w) {
      const float4 other = reinterpret_cast<const float4*>(s.ring[w][0])[q];
      v.x += other.x, v.y += other.y, v.z += other.z, v.w += other.w;
    }
    Send(parts + static_cast<int64_t>(position) * kGroups + q, {Sendable(v.x), Sendable(v.y), Sendable(v.z), Sendable(v.w)});
  }
  if (Trace && threadIdx.x == 0) trace[8] = clock64();
  // A warp takes 4 positions at a time and 8 groups of columns; the order of the sum is that of the positions.
  float4* of_warps = reinterpret_cast<float4*>(s.x);  // [groups, Warps + 2]
  for (int q = lane % 8; q < (groups + 7) / 8 * 8; q += 8) {
    float4 v = {0.0f, 0.0f, 0.0f, 0.0f};
    if (q < groups) {
      for (int p = warp * 4 + lane / 8; p < positions; p += (Warps + 2) * 4) {
        Words* cell = parts + static_cast<int64_t>(p) * kGroups + group_begin + q;
        Words w = Peek(cell);
        while (!IsFull(w)) w = Peek(cell);
        Send(cell, {kEmpty, kEmpty, kEmpty, kEmpty});
        v.x += __uint_as_float(w.x), v.y += __uint_as_float(w.y);
        v.z += __uint_as_float(w.z), v.w += __uint_as_float(w.w);
      }
    }
#pragma unroll
    for (int distance = 8; distance < 32; distance *= 2) {
      v.x += __shfl_xor_sync(kAll, v.x, distance);
      v.y += __shfl_xor_sync(kAll, v.y, distance);
      v.z += __shfl_xor_sync(kAll, v.z, distance);
      v.w += __shfl_xor_sync(kAll, v.w, distance);
    }
    if (lane < 8) of_warps[q * (Warps + 2) + warp] = v;
  }
  __syncthreads();
  for (int c = threadIdx.x; c < groups * 4; c += (Warps + 2) * 32) {
    const float* of_warp = reinterpret_cast<const float*>(of_warps + c / 4 * (Warps + 2)) + c % 4;
    float v = of_warp[0];
#pragma unroll
    for (int w = 1; w < Warps + 2; ++w) v += of_warp[w * 4];
    const int column = slab * kSlabColumns + group_begin * 4 + c;
    if (args.down_bias != nullptr) v = __fadd_rn(v, T::ToFloat(static_cast<const T*>(args.down_bias)[column]));
    static_cast<T*>(args.y)[column] = T::FromFloat(v);
  }
  if (Trace && threadIdx.x == 0) {
    trace[9] = clock64();
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(trace[13]));
  }
}

}  // namespace cats::cuda
