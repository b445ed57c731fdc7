// SPDX-License-Identifier: MIT
// A worker of the kernel for several rows (bulk_rows.cuh): its columns of all tasks, on the tensor cores.
#pragma once
#include "kernels/cuda/bulk_rows_shared.cuh"

namespace cats::cuda {

template <class T, int Hidden>
struct BulkWorker {
  using Size = BulkSize<Hidden>;
  static constexpr int kTiles = Size::kColumns / 16;  // of columns, in a product with down

  const GatedMlpArgs& args;
  const BulkCluster& cluster;
  BulkRowsShared<Hidden>& s;
  const int warp, lane;
  int done = 0;

  __device__ int Stage() const { return done % Size::kStages; }
  __device__ int FirstColumn() const { return cluster.rank * Size::kPieceColumns + warp * Size::kColumns; }
  __device__ void Await() { BarrierWait(&s.full[Stage()], (done / Size::kStages) & 1); }
  __device__ void Done() {
    __syncwarp();
    if (lane == 0) BarrierArrive(&s.empty[Stage()]);
    ++done;
  }

  // The rows of x: lane 4g + t holds 16 bytes of row g in each chunk.
  __device__ void LoadX(const RowGroup& group, uint4 (&x)[Size::kChunks]) const {
    const int g = lane >> 2, t = lane & 3;
    const T* row = static_cast<const T*>(args.x) + (group.first + g) * Hidden + FirstColumn();
#pragma unroll
    for (int c = 0; c < Size::kChunks; ++c) {
      x[c] =
          g < group.count ? LoadNow(reinterpret_cast<const uint4*>(row) + c * 4 + t) : make_uint4(0, 0, 0, 0);
    }
  }

  // A gate or up task. B: 8 neurons; A: the rows of x, its lower half 0.
  __device__ void Multiply(const uint4 (&x)[Size::kChunks]) {
    const int slot = done % kPartSlots, g = lane >> 2, t = lane & 3;
    const int round = done / kPartSlots;
    const auto* row = reinterpret_cast<const uint4*>(s.ring[Stage()] + warp * Size::kBytes) + t;
    // All pieces begin in the same bank: of each two chunks odd ones take the second first.
    const int odd = g & 1;
    const auto place = [](int c, int swap) { return (c | 1) < Size::kChunks ? c ^ swap : c; };
    uint4 w[kTask / kTile][Size::kChunks];
#pragma unroll
    for (int tile = 0; tile < kTask / kTile; ++tile) {
#pragma unroll
      for (int c = 0; c < Size::kChunks; ++c)
        w[tile][c] = row[(tile * kTile + g) * (Size::kPieceBytes / 16) + place(c, odd) * 4];
    }
    float result[kTask / kTile][2];
#pragma unroll
    for (int tile = 0; tile < kTask / kTile; ++tile) {
      float sum[4][4] = {};
#pragma unroll
      for (int c = 0; c < Size::kChunks; ++c) {
        const uint4 &mine = w[tile][c], &other = w[tile][place(c, 1)], &of_x = x[c];
        const uint4 v = make_uint4(odd ? other.x : mine.x, odd ? other.y : mine.y, odd ? other.z : mine.z,
                                   odd ? other.w : mine.w);
        MatrixFma(T{}, sum[c % 2 * 2], make_uint4(of_x.x, 0, of_x.y, 0), v.x, v.y);
        MatrixFma(T{}, sum[c % 2 * 2 + 1], make_uint4(of_x.z, 0, of_x.w, 0), v.z, v.w);
      }
#pragma unroll
      for (int e = 0; e < 2; ++e) result[tile][e] = (sum[0][e] + sum[1][e]) + (sum[2][e] + sum[3][e]);
    }
    Done();
    if (round > 0) BarrierWait(&s.taken[slot], (round - 1) & 1);
    float* parts = s.parts[slot][warp];
#pragma unroll
    for (int tile = 0; tile < kTask / kTile; ++tile) {
#pragma unroll
      for (int e = 0; e < 2; ++e) parts[(tile * kTile + 2 * t + e) * kRowGroup + g] = result[tile][e];
    }
    __syncwarp();
    if (lane == 0) BarrierArrive(&s.filled[slot]);
  }

  // The lane's terms of h of neurons 2t and 2t + 1 of a tile, row g: the columns of B.
  __device__ void TermsOfH(int tile, uint32_t (&term)[2]) const {
#pragma unroll
    for (int k = 0; k < 2; ++k) term[k] = reinterpret_cast<const uint32_t*>(s.h[tile][k])[lane];
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

  // A down task: the tiles of the span from `first` on, whose kept neurons up to `entries` must have their h.
  // sum[tile]: columns g (two of them) and g + 8 of rows 2t and 2t + 1.
  __device__ void Add(int first, const DownSpan& span, int entries, float (&sum)[kTiles][4]) {
    Await();
    while (Load(s.h_ready) < entries) __nanosleep(20);
    Fence();
    __syncwarp();
    const uint32_t ring = SharedAddress(s.ring[Stage()]) + warp * Size::kBytes + (lane >> 3) * 16;
    for (int tile = 0; tile < span.tiles; ++tile) {
      const uint32_t any = s.any[first + tile];
      const int before = __shfl_sync(kAll, span.before, tile);
      if (any == 0u) continue;
      uint32_t term[2];
      TermsOfH(first + tile, term);
      const uint32_t mask = PairMask(any);
      const int slot = before + min(__popc(any & ((1u << (lane & 7)) - 1u)), __popc(any) - 1);
      const uint32_t from = ring + slot * Size::kDownBytes;
#pragma unroll
      for (int k = 0; k < kTiles / 2; ++k) {
        uint32_t w[4];
        LoadTransposed(w, from + k * 64);
        AddTile(sum[2 * k], w[0] & mask, w[1] & mask, term);
        AddTile(sum[2 * k + 1], w[2] & mask, w[3] & mask, term);
      }
    }
    Done();
  }

  // The lane's sums of a tile; part: float [rows, Hidden]. only: of this row, or -1 for all.
  __device__ void Write(float* part, int rows, int tile, const float (&sum)[4], int only) const {
    const int column = FirstColumn() + tile * 16 + (lane >> 2);
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
        static_cast<const uint16_t*>(args.down) + cluster.first * Hidden + FirstColumn() + (lane >> 2);
    for (int only = 0; only < rows; ++only) {
      for (int tile = 0; tile < kTiles; ++tile) {
        float sum[4] = {};
        for (int of = 0; of < cluster.tiles; ++of) {
          uint32_t take = 0;
          for (int n = 0; n < kTile; ++n) take |= (s.rows[of * kTile + n] >> only & 1u) << n;
          if (take == 0u) continue;
          uint32_t term[2], w[2] = {};
          TermsOfH(of, term);
          for (int n = 0; n < 2; ++n) {
            const int of_tile = 2 * (lane & 3) + n;
            if ((take >> of_tile & 1u) == 0u) continue;
            const uint16_t* from = down + static_cast<int64_t>(of * kTile + of_tile) * Hidden + tile * 16;
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
    for (int tile = 0; tile < cluster.tiles;) {
      const DownSpan span(s.any, tile, cluster.tiles - tile, lane);
      entries += span.count;
      if (span.count > 0) Add(tile, span, entries, sum);
      tile += span.tiles;
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
