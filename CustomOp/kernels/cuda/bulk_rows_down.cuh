// SPDX-License-Identifier: MIT
// The second kernel for several rows with its rows fetched by bulk copies (sm_90, 16-bit formats): what is in
// flight does not depend on how many neurons are kept. Bits: those of SparseRowsDown.
#pragma once
#include "kernels/cuda/sparse_rows_down.cuh"

namespace cats::cuda {

constexpr int kDownSlots = 80;  // rows of a column tile in shared memory
constexpr int kDownSliceBytes = kDownWarps * kDownColumns * 2;
// 4 rows in a row lie in other banks.
constexpr int kDownRowBytes = kDownSliceBytes + 32;

template <class T>
struct BulkDownShared {
  alignas(128) unsigned char ring[kDownSlots][kDownRowBytes];
  alignas(16) PieceTerms<T> terms;
  alignas(16) uint4 kept[kPiece];
  uint32_t any[kPiece];  // bit n: any row keeps neuron n of the tile
  int slot[kPiece];      // of the tile's first kept neuron; the others follow
  uint32_t largest[kRowGroup];
  uint64_t full[kPiece];   // the tile's rows have arrived
  uint64_t empty[kPiece];  // all warps have read them
};

__device__ __forceinline__ uint32_t AnyOf(uint32_t four) {  // bytes to bits
  return (four & 0xffu ? 1u : 0u) | (four & 0xff00u ? 2u : 0u) | (four & 0xff0000u ? 4u : 0u) |
         (four & 0xff000000u ? 8u : 0u);
}

// The warp that fetches. In a piece, lane n has tile n.
template <class T>
struct DownFetcher {
  BulkDownShared<T>& s;
  const T* down;  // from the piece's first neuron and the block's first column on
  int64_t hidden;
  uint32_t bytes;  // of a row
  uint32_t parity;
  int tiles;
  const uint64_t policy = EvictFirst();
  int next = 0, issued = 0, freed_tiles = 0, freed = 0;

  // Tells the block where the tiles' rows will lie.
  __device__ void Plan(const uint4& kept) {
    const int lane = threadIdx.x % 32;
    const uint32_t any = AnyOf(kept.x) | AnyOf(kept.y) << 4 | AnyOf(kept.z) << 8 | AnyOf(kept.w) << 12;
    int before = __popc(any);
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
      const int other = __shfl_up_sync(kAll, before, distance);
      if (lane >= distance) before += other;
    }
    s.kept[lane] = kept;
    s.any[lane] = any;
    s.slot[lane] = (before - __popc(any)) % kDownSlots;
    __syncwarp();
  }

  // Tiles as long as there is room; with wait, all.
  __device__ void Fetch(bool wait) {
    const int lane = threadIdx.x % 32;
    for (; next < tiles; ++next) {
      const uint32_t any = s.any[next];
      const int count = __popc(any);
      while (issued + count - freed > kDownSlots) {
        if (!wait) return;
        BarrierWait(&s.empty[freed_tiles], parity);
        freed += __popc(s.any[freed_tiles]);
        ++freed_tiles;
      }
      issued += count;
      if (lane == 0) BarrierExpect(&s.full[next], count * bytes);
      __syncwarp();
      if (lane < kRowsTile && (any >> lane & 1u) != 0u) {
        int slot = s.slot[next] + __popc(any & ((1u << lane) - 1u));
        if (slot >= kDownSlots) slot -= kDownSlots;
        BulkCopy(s.ring[slot], down + (static_cast<int64_t>(next) * kRowsTile + lane) * hidden, bytes,
                 &s.full[next], policy);
      }
    }
  }
};

__device__ __forceinline__ void SyncDownWarps() {  // all but the one that fetches
  asm volatile("bar.sync 1, %0;" ::"n"(kDownThreads) : "memory");
}

// Block (column tile, part).
template <class T, int R>
__global__ void __launch_bounds__(kDownThreads + 32, 2) BulkRowsDown(const GatedMlpArgs args) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) unsigned char shared_bytes[];
  auto& s = *reinterpret_cast<BulkDownShared<T>*>(shared_bytes);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane >> 2, t = lane & 3;
  const int64_t tile_column = static_cast<int64_t>(blockIdx.x) * kDownWarps * kDownColumns;
  const int64_t column = tile_column + warp * kDownColumns + g * 8;
  const SparseRowsScratch at(false, R, args.intermediate, args.hidden);
  auto* scratch = static_cast<uint32_t*>(args.scratch);
  auto* const out = reinterpret_cast<float*>(scratch + at.parts) +
                    static_cast<int64_t>(blockIdx.y) * R * args.hidden + column;
  const int64_t begin = at.tiles * blockIdx.y / gridDim.y;
  const int64_t end = at.tiles * (blockIdx.y + 1) / gridDim.y;
  AllowNextKernel();
  if (warp == kDownWarps) {
    BarrierInit(&s.full[lane]);
    BarrierInit(&s.empty[lane], kDownWarps);
    BarrierInitFence();
    __syncwarp();
  }
  WaitForPreviousKernel();

  uint32_t parity = 0;
  for (int64_t first = begin; first < end || first == begin; first += kPiece, parity ^= 1u) {
    const int tiles = static_cast<int>(min(static_cast<int64_t>(kPiece), end - first));
    const T* const down = static_cast<const T*>(args.down) + first * kRowsTile * args.hidden;
    if (warp == kDownWarps) {
      const uint32_t bytes =
          static_cast<uint32_t>(min(static_cast<int64_t>(kDownSliceBytes), (args.hidden - tile_column) * 2));
      DownFetcher<T> fetcher{s, down + tile_column, args.hidden, bytes, parity, tiles};
      uint4 kept = make_uint4(0, 0, 0, 0);
      if (lane < tiles) kept = reinterpret_cast<const uint4*>(scratch + at.kept)[first + lane];
      if (lane < kRowGroup) s.largest[lane] = 0u;
      fetcher.Plan(kept);
      fetcher.Fetch(false);
      __syncthreads();
      fetcher.Fetch(true);
    } else {
      float held[kHeld];
      HoldPiece<R>(held, reinterpret_cast<const float*>(scratch + at.h), first, tiles, args.intermediate);
      __syncthreads();
      FindLargest(held, s.largest);
      SyncDownWarps();
      SplitPiece<T>(held, s.largest, tiles, s.terms);
      SyncDownWarps();
      DownSums<T, R, true> sums;
      for (int tile = 0; tile < tiles; ++tile) {
        const uint32_t any = s.any[tile];
        if (any != 0u) {
          BarrierWait(&s.full[tile], parity);
          uint4 w[4];
#pragma unroll
          for (int n = 0; n < 4; ++n) {
            const int neuron = t + 4 * n;
            w[n] = make_uint4(0, 0, 0, 0);
            if ((any >> neuron & 1u) == 0u) continue;
            int slot = s.slot[tile] + __popc(any & ((1u << neuron) - 1u));
            if (slot >= kDownSlots) slot -= kDownSlots;
            w[n] = *reinterpret_cast<const uint4*>(s.ring[slot] + warp * kDownColumns * 2 + g * 16);
          }
          sums.Add(w, s.terms, tile);
        }
        __syncwarp();
        if (lane == 0) BarrierArrive(&s.empty[tile]);
      }
      if (sums.Combine(column < args.hidden) && R > 1) {
        DownRowByRow<T, R, true>(down, s.kept, s.terms, tiles, out, s.largest, column, args.hidden,
                                 first != begin);
      } else {
        sums.Write(out, s.largest, column, args.hidden, -1, first != begin);
      }
    }
    __syncthreads();  // the next piece takes the shared memory
  }
#endif
}

}  // namespace cats::cuda
