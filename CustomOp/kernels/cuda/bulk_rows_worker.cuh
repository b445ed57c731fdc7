// SPDX-License-Identifier: MIT
// A worker of the kernel for several rows (bulk_rows.cuh): its columns of all tasks, on the tensor cores.
#pragma once
#include "kernels/cuda/bulk_rows_shared.cuh"

namespace cats::cuda {

template <class T, int Hidden>
struct BulkWorker {
  using Size = BulkSize<Hidden>;
  static constexpr int kTiles = Size::kColumns / 16;

  const GatedMlpArgs& args;
  const BulkBlock& block;
  BulkRowsShared<Hidden>& s;
  const int warp, lane;
  int done = 0;

  __device__ int Stage() const { return done % Size::kStages; }
  __device__ void Await() { BarrierWait(&s.full[Stage()], (done / Size::kStages) & 1); }
  __device__ void Done() {
    __syncwarp();
    if (lane == 0) BarrierArrive(&s.empty[Stage()]);
    ++done;
  }

  // A gate or up task. B: 8 neurons; A: the rows of x, its lower half 0.
  __device__ void Multiply(const uint4 (&x)[Size::kChunks]) {
    const int slot = done % kPartSlots, g = lane >> 2, t = lane & 3;
    const int round = done / kPartSlots;
    const auto* row =
        reinterpret_cast<const uint4*>(s.ring[Stage()] + g * Size::kRowBytes + warp * Size::kBytes) + t;
    constexpr int kBatch = 4;
    static_assert(Size::kChunks % kBatch == 0);
    uint4 w[2][kBatch];
    float sum[4][4] = {};
    // All rows begin in the same bank: of each two chunks odd rows take the second one first.
    const int odd = g & 1;
    const auto load = [&](int begin, uint4(&batch)[kBatch]) {
#pragma unroll
      for (int c = 0; c < kBatch; ++c) batch[c] = row[(begin + (c ^ odd)) * 4];
      asm volatile("" ::: "memory");  // no batch more ahead: x leaves no registers for it
    };
    const auto chunk = [&](const uint4(&batch)[kBatch], int c) {
      const uint4 &mine = batch[c], &other = batch[c ^ 1];
      return make_uint4(odd ? other.x : mine.x, odd ? other.y : mine.y, odd ? other.z : mine.z,
                        odd ? other.w : mine.w);
    };
    load(0, w[0]);
#pragma unroll
    for (int begin = 0; begin < Size::kChunks; begin += kBatch) {
      if (begin + kBatch < Size::kChunks) load(begin + kBatch, w[(begin / kBatch + 1) % 2]);
#pragma unroll
      for (int c = 0; c < kBatch; ++c) {
        const uint4 v = chunk(w[begin / kBatch % 2], c), &of_x = x[begin + c];
        MatrixFma(T{}, sum[c % 2 * 2], make_uint4(of_x.x, 0, of_x.y, 0), v.x, v.y);
        MatrixFma(T{}, sum[c % 2 * 2 + 1], make_uint4(of_x.z, 0, of_x.w, 0), v.z, v.w);
      }
    }
    Done();
    if (round > 0) BarrierWait(&s.taken[slot], (round - 1) & 1);
    float* parts = s.parts[slot][warp];
    parts[2 * t * kRowGroup + g] = (sum[0][0] + sum[1][0]) + (sum[2][0] + sum[3][0]);
    parts[(2 * t + 1) * kRowGroup + g] = (sum[0][1] + sum[1][1]) + (sum[2][1] + sum[3][1]);
    __syncwarp();
    if (lane == 0) BarrierArrive(&s.filled[slot]);
  }

  // The lane's terms of h of neurons 2t and 2t + 1 of a task, row g: the columns of B.
  __device__ void TermsOfH(int task, uint32_t (&term)[2]) const {
    const auto* low = reinterpret_cast<const uint16_t*>(s.cell[task * kTask + 2 * (lane & 3)]) + (lane >> 2);
    const uint16_t* high = low + 2 * kRowGroup;
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      term[k] = low[k * kRowGroup] | static_cast<uint32_t>(high[k * kRowGroup]) << 16;
    }
  }

  // The bits of neurons 2t and 2t + 1 as a mask for a pair of elements.
  __device__ uint32_t PairMask(uint32_t take) const {
    const uint32_t two = take >> (2 * (lane & 3));
    return (two & 1u ? 0xffffu : 0u) | (two & 2u ? 0xffff0000u : 0u);
  }

  // A: 16 columns of down by 8 neurons; B: these by the rows.
  __device__ static void AddTile(float (&sum)[4], uint32_t low, uint32_t high, const uint32_t (&term)[2]) {
    MatrixFma8(T{}, sum, low, high, term[0]);
    if constexpr (HTerms<T>::kSecond == 1.0f) {
      MatrixFma8(T{}, sum, low, high, term[1]);
    } else {
      float second[4] = {};
      MatrixFma8(T{}, second, low, high, term[1]);
#pragma unroll
      for (int e = 0; e < 4; ++e) sum[e] = fmaf(second[e], 1.0f / HTerms<T>::kSecond, sum[e]);
    }
  }

  // A stage of down rows: those of the span's tasks from `first` on, whose kept neurons, up to `entries` in
  // all, must have their h. sum[tile]: columns g (two of them) and g + 8 of rows 2t and 2t + 1.
  __device__ void Add(int first, const DownSpan& span, int entries, float (&sum)[kTiles][4]) {
    Await();
    while (Load(s.h_ready) < entries) __nanosleep(20);
    Fence();
    __syncwarp();
    const uint32_t stage = SharedAddress(s.ring[Stage()]) + warp * Size::kBytes + (lane >> 3) * 16;
    for (int k = 0; k < span.tasks; ++k) {
      const uint32_t any = s.any[first + k];
      const int before = __shfl_sync(kAll, span.before, k);
      if (any == 0u) continue;
      uint32_t term[2];
      TermsOfH(first + k, term);
      const uint32_t mask = PairMask(any);
      // A lane whose neuron is not kept reads another one's row, which the mask takes away.
      const int slot = before + min(__popc(any & ((1u << (lane & 7)) - 1u)), __popc(any) - 1);
      const uint32_t from = stage + slot * Size::kDownBytes;
#pragma unroll
      for (int tile = 0; tile < kTiles; tile += 2) {
        uint32_t w[4];
        LoadTransposed(w, from + tile * 32);
        AddTile(sum[tile], w[0] & mask, w[1] & mask, term);
        AddTile(sum[tile + 1], w[2] & mask, w[3] & mask, term);
      }
    }
    Done();
  }

  // The lane's sums of a tile; part: float [rows, Hidden]. only: of this row, or -1 for all.
  __device__ void Write(float* part, int rows, int tile, const float (&sum)[4], int only) const {
    const int column = warp * Size::kColumns + tile * 16 + (lane >> 2);
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int row = 2 * (lane & 3) + e;
      if (row >= rows || (only >= 0 && row != only)) continue;
      part[row * Hidden + column] = sum[e] * (1.0f / HTerms<T>::kScale);
      part[row * Hidden + column + 8] = sum[2 + e] * (1.0f / HTerms<T>::kScale);
    }
  }

  // Where a sum of all rows at once is not finite: row by row. Then a neuron that a row skips is 0 in A, so
  // that it adds nothing to that row, not even 0 * NaN. Bits where all is well: those of all rows at once.
  __device__ __noinline__ void RowByRow(float* part, int rows) const {
    const auto* down =
        static_cast<const uint16_t*>(args.down) + block.first * Hidden + warp * Size::kColumns + (lane >> 2);
    for (int only = 0; only < rows; ++only) {
      for (int tile = 0; tile < kTiles; ++tile) {
        float sum[4] = {};
        for (int task = 0; task < block.gates; ++task) {
          uint32_t take = 0;
          for (int n = 0; n < kTask; ++n) take |= (s.rows[task * kTask + n] >> only & 1u) << n;
          if (take == 0u) continue;
          uint32_t term[2], w[2] = {};
          TermsOfH(task, term);
          for (int n = 0; n < 2; ++n) {
            const int of_task = 2 * (lane & 3) + n;
            if ((take >> of_task & 1u) == 0u) continue;
            const uint16_t* from = down + static_cast<int64_t>(task * kTask + of_task) * Hidden + tile * 16;
            w[0] |= static_cast<uint32_t>(from[0]) << (16 * n);
            w[1] |= static_cast<uint32_t>(from[8]) << (16 * n);
          }
          AddTile(sum, w[0], w[1], term);
        }
        Write(part, rows, tile, sum, only);
      }
    }
  }

  // All gate and up tasks; a down task has arrived when they are done.
  __device__ void Dots(const uint4 (&x)[Size::kChunks]) {
    for (Await(); done < Load(s.dots); Await()) Multiply(x);
  }

  // part: float [rows, Hidden].
  __device__ void Down(float* part, int rows) {
    float sum[kTiles][4] = {};
    int entries = 0;
    for (int task = 0; task < block.gates;) {
      const DownSpan span(s.any + task, block.gates - task, lane);
      entries += span.count;
      if (span.count > 0) Add(task, span, entries, sum);
      task += span.tasks;
    }
    float probe = 0.0f;
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int e = 0; e < 4; ++e) probe = fmaf(sum[tile][e], 0.0f, probe);
    }
    if (__any_sync(kAll, probe != 0.0f)) {
      RowByRow(part, rows);
      return;
    }
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) Write(part, rows, tile, sum[tile], -1);
  }
};

}  // namespace cats::cuda
