// SPDX-License-Identifier: MIT
// Up to 8 rows in one kernel whose weights come by bulk copies (sm_90, 16-bit formats): one block per
// multiprocessor, a fixed part of the neurons each. A task is the gate, up or down rows of 8 neurons. One
// warp fetches tasks into a ring, eight warps own an eighth of the columns each. Gate tasks first; another
// warp adds up the eight's parts, decides and lists what is kept, and lists of 8 become the up tasks. Then
// the down rows of the block's own neurons: the eight keep their columns' sums of all rows in registers, and
// the last kernel adds up the blocks'. One stream of copies runs through all three, so that decisions and h
// cost no time.
#pragma once
#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/exchange.cuh"
#include "kernels/cuda/sparse_rows.cuh"

namespace cats::cuda {

constexpr int kBulkWarps = 8;
// Behind the workers: who decides, who fetches, and two that help at the start and fill the warpgroup.
constexpr int kDecider = kBulkWarps, kProducer = kBulkWarps + 1;
constexpr int kBulkThreads = (kBulkWarps + 4) * 32;
// Registers of a thread: kBulkThreads times 168 at the launch, then the workers take what the others leave.
constexpr int kWorkerRegisters = 224, kOtherRegisters = 56;
static_assert(kBulkWarps * 32 * kWorkerRegisters + 4 * 32 * kOtherRegisters <= kBulkThreads * 168);
constexpr int kTask = 8;       // neurons
constexpr int kPartSlots = 4;  // tasks whose parts wait for the decider

template <int Hidden>
struct BulkSize {
  static constexpr int kBytes = Hidden * 2 / kBulkWarps;  // of a worker's part of a row
  static constexpr int kChunks = kBytes / 64;             // 16 bytes for each of 4 lanes
  static constexpr int kColumns = kBytes / 2;
  static constexpr int kRowBytes = Hidden * 2;
  // Down rows lie so that 16 bytes of each of 8 are in other banks, two by two. Copies to multiples of 32
  // bytes are 3% faster than to other ones, and to multiples of 128, where gate and up rows lie, 2% more.
  static constexpr int kDownBytes = kRowBytes + 32;
  static constexpr int kStageBytes = kTask * kDownBytes;
  static constexpr int kFit = 206 * 1024 / kStageBytes;
  static constexpr int kStages = kFit < 6 ? kFit : 6;
  static_assert(kBytes % 128 == 0 && kStageBytes % 128 == 0 && kStages >= 2);
};

template <int Hidden>
struct BulkRowsShared {
  using Size = BulkSize<Hidden>;
  alignas(128) unsigned char ring[Size::kStages][Size::kStageBytes];
  alignas(16) float parts[kPartSlots][kBulkWarps][kTask * kRowGroup];  // [neuron, row]
  // A neuron's activation of each row, 0 where it is not kept; then its h, two terms of each row.
  uint32_t cell[kMaxBulkNeurons][kRowGroup];
  float threshold[kMaxBulkNeurons], gate_bias[kMaxBulkNeurons], up_bias[kMaxBulkNeurons];
  uint16_t found_neuron[kMaxBulkNeurons];  // those that any row keeps, in order
  uint8_t rows[kMaxBulkNeurons];           // of each neuron, bit r: row r keeps it
  uint8_t any[kMaxBulkNeurons / kTask];    // of each gate task, bit n: any row keeps the neuron
  uint16_t end[kMaxBulkNeurons / kTask];   // of each gate task: how many are found up to its end
  uint64_t full[Size::kStages], empty[Size::kStages];
  uint64_t filled[kPartSlots], taken[kPartSlots];
  int found;     // entries that are there
  int complete;  // 1: there will be no more
  int h_ready;   // entries whose cells are h
  int dots;      // gate and up tasks; written before the first down task is fetched
};

struct BulkBlock {
  int64_t first;  // neuron
  int neurons, gates;

  __device__ explicit BulkBlock(int64_t intermediate) {
    const int64_t share = intermediate / gridDim.x, extra = intermediate % gridDim.x, b = blockIdx.x;
    first = b * share + min(b, extra);
    neurons = static_cast<int>(share + (b < extra ? 1 : 0));
    gates = (neurons + kTask - 1) / kTask;
  }
};

// A load that stays where it is written.
__device__ __forceinline__ uint4 LoadNow(const uint4* p) {
  uint4 v;
  asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p)
               : "memory");
  return v;
}

// Fetches the tasks. A warp of its own: while more copies are asked for than memory takes, whoever asks
// waits.
template <int Hidden>
struct BulkProducer {
  using Size = BulkSize<Hidden>;

  const GatedMlpArgs& args;
  const BulkBlock& block;
  BulkRowsShared<Hidden>& s;
  const int lane;
  const uint64_t policy = EvictFirst();
  int issued = 0;

  // row: of the block, in the lanes of the `count` rows, or -1.
  __device__ void Fetch(const void* matrix, int row, int count, int pitch) {
    const int stage = issued % Size::kStages, round = issued / Size::kStages;
    if (round > 0) BarrierWait(&s.empty[stage], (round - 1) & 1);
    if (lane == 0) BarrierExpect(&s.full[stage], count * Size::kRowBytes);
    __syncwarp();
    if (row >= 0) {
      BulkCopy(s.ring[stage] + lane * pitch,
               static_cast<const unsigned char*>(matrix) + (block.first + row) * Size::kRowBytes,
               Size::kRowBytes, &s.full[stage], policy);
    }
    ++issued;
  }

  __device__ void Gate() {
    const int begin = issued * kTask, count = min(block.neurons - begin, kTask);
    Fetch(args.gate, lane < count ? begin + lane : -1, count, Size::kRowBytes);
  }

  // The first gate tasks are fetched already.
  __device__ void Run() {
    while (issued < block.gates) Gate();
    for (int begin = 0;; begin += kTask) {
      int found = 0;
      for (;;) {
        const bool complete = Load(s.complete) != 0;
        Fence();
        found = Load(s.found);
        if (complete || found >= begin + kTask) break;
        __nanosleep(20);
      }
      __syncwarp();
      Fence();
      const int count = min(__shfl_sync(kAll, found, 0) - begin, kTask);
      if (count <= 0) break;
      Fetch(args.up, lane < count ? s.found_neuron[begin + lane] : -1, count, Size::kRowBytes);
    }
    if (lane == 0) s.dots = issued;
    __syncwarp();
    for (int task = 0; task < block.gates; ++task) {
      const uint32_t any = s.any[task];
      const bool fetches = lane < kTask && (any >> lane & 1u) != 0u;
      Fetch(args.down, fetches ? task * kTask + lane : -1, __popc(any), Size::kDownBytes);
    }
  }
};

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

  // A down task. sum[tile]: columns g (two of them) and g + 8 of rows 2t and 2t + 1.
  __device__ void Add(int task, float (&sum)[kTiles][4]) {
    Await();
    const uint32_t any = s.any[task];
    if (any != 0u) {
      while (Load(s.h_ready) < s.end[task]) __nanosleep(20);
      Fence();
      __syncwarp();
      uint32_t term[2];
      TermsOfH(task, term);
      const uint32_t mask = PairMask(any);
      const uint32_t from = SharedAddress(s.ring[Stage()]) + (lane & 7) * Size::kDownBytes +
                            warp * Size::kBytes + (lane >> 3) * 16;
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
    for (int task = 0; task < block.gates; ++task) Add(task, sum);
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

// Lane 8m + r has row r of neurons m and m + 4 of a task. It waits for no access to global
// memory while rows stream: behind them one takes microseconds, and so does a fence behind a store.
template <class T, int Hidden>
struct BulkDecider {
  const GatedMlpArgs& args;
  const BulkBlock& block;
  BulkRowsShared<Hidden>& s;
  const int lane, count;  // rows of the group
  const int64_t first_row;
  int task = 0;

  __device__ void Take(float (&total)[2]) {
    const int slot = task % kPartSlots;
    BarrierWait(&s.filled[slot], (task / kPartSlots) & 1);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      total[half] = s.parts[slot][0][half * 32 + lane];
#pragma unroll
      for (int warp = 1; warp < kBulkWarps; ++warp) total[half] += s.parts[slot][warp][half * 32 + lane];
    }
    __syncwarp();
    if (lane == 0) BarrierArrive(&s.taken[slot]);
    ++task;
  }

  __device__ void Run() {
    const int m = lane / kRowGroup, r = lane % kRowGroup;
    const float scale = args.threshold_scale == nullptr || r >= count
                            ? 1.0f
                            : args.threshold_scale[args.scale_per_row ? first_row + r : 0];
    int found = 0;
    while (task < block.gates) {
      const int begin = task * kTask, of_task = task;
      uint32_t any_of_task = 0;
      float total[2];
      Take(total);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int n = begin + half * 4 + m;
        const float biased = args.gate_bias == nullptr ? total[half] : __fadd_rn(total[half], s.gate_bias[n]);
        const float a = Rounded(T{}, Silu(Rounded(T{}, biased)));
        const bool keeps = n < block.neurons && r < count && IsKept(a, ThresholdBits(s.threshold[n], scale));
        const uint32_t votes = __ballot_sync(kAll, keeps);
        const uint32_t rows = votes >> (m * kRowGroup) & 0xffu;
        const uint32_t any = (votes & 0xffu ? 1u : 0u) | (votes & 0xff00u ? 2u : 0u) |
                             (votes & 0xff0000u ? 4u : 0u) | (votes & 0xff000000u ? 8u : 0u);
        Store(s.cell[n][r], keeps ? __float_as_uint(a) : 0u);
        if (r == 0) {
          s.rows[n] = static_cast<uint8_t>(rows);
          if (rows != 0u) s.found_neuron[found + __popc(any & ((1u << m) - 1u))] = static_cast<uint16_t>(n);
        }
        found += __popc(any);
        any_of_task |= any << (half * 4);
      }
      if (lane == 0) {
        s.any[of_task] = static_cast<uint8_t>(any_of_task);
        s.end[of_task] = static_cast<uint16_t>(found);
      }
      __syncwarp();
      Fence();
      if (lane == 0) Store(s.found, found);
    }
    __syncwarp();
    Fence();
    if (lane == 0) Store(s.complete, 1);
    for (int begin = 0; begin < found; begin += kTask) {
      int n[2];
      float total[2], a[2];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int entry = begin + half * 4 + m;
        n[half] = entry < found ? s.found_neuron[entry] : -1;
        a[half] = n[half] < 0 ? 0.0f : __uint_as_float(Load(s.cell[n[half]][r]));
      }
      Take(total);  // after it no lane reads an activation of this task
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        if (n[half] < 0) continue;
        const bool keeps = (s.rows[n[half]] >> r & 1u) != 0u;
        const float up = args.up_bias == nullptr ? total[half] : __fadd_rn(total[half], s.up_bias[n[half]]);
        uint16_t first = 0, second = 0;
        HTerms<T>::Split(keeps ? __fmul_rn(a[half], up) : 0.0f, first, second);
        auto* terms = reinterpret_cast<uint16_t*>(s.cell[n[half]]);
        Store(terms[r], first);
        Store(terms[kRowGroup + r], second);
      }
      __syncwarp();
      Fence();
      if (lane == 0) Store(s.h_ready, min(begin + kTask, found));
    }
  }
};

__device__ __forceinline__ void TakeRegisters() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kWorkerRegisters));
#endif
}
__device__ __forceinline__ void GiveRegisters() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kOtherRegisters));
#endif
}

// What the warps behind the workers do. The numbers of the neurons are asked for before the weights.
template <class T, int Hidden>
__device__ void DecideAndFetch(const GatedMlpArgs& args, const RowGroup& group, const BulkBlock& block,
                               BulkRowsShared<Hidden>& s, int warp, int lane) {
  constexpr int kHelpers = 96;  // threads of these warps without the producer
  constexpr int kEach = (kMaxBulkNeurons + kHelpers - 1) / kHelpers;
  if (warp == kProducer) {
    if (lane == 0) s.dots = 1 << 30;
    if (lane < BulkSize<Hidden>::kStages) {
      BarrierInit(&s.full[lane]);
      BarrierInit(&s.empty[lane], kBulkWarps);
      BarrierInitFence();
    }
    __syncwarp();
    BulkProducer<Hidden> producer{args, block, s, lane};
    while (producer.issued < min(BulkSize<Hidden>::kStages, block.gates)) producer.Gate();
    __syncthreads();
    producer.Run();
    return;
  }
  const int thread = (warp > kProducer ? warp - 1 - kDecider : 0) * 32 + lane;
  float threshold[kEach], gate_bias[kEach], up_bias[kEach];
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    const int n = thread + k * kHelpers;
    const bool is = n < block.neurons;
    const int64_t i = block.first + n;
    const auto bias = [&](const void* of) {
      return of != nullptr && is ? T::ToFloat(static_cast<const T*>(of)[i]) : 0.0f;
    };
    threshold[k] = is ? args.threshold[args.threshold_per_neuron ? i : 0] : 0.0f;
    gate_bias[k] = bias(args.gate_bias);
    up_bias[k] = bias(args.up_bias);
  }
  if (warp == kDecider) {
    if (lane < kPartSlots) {
      BarrierInit(&s.filled[lane], kBulkWarps);
      BarrierInit(&s.taken[lane]);
      BarrierInitFence();
    }
    if (lane == 0) s.found = s.complete = s.h_ready = 0;
  }
  __syncthreads();
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    const int n = thread + k * kHelpers;
    if (n >= kMaxBulkNeurons) break;
    s.threshold[n] = threshold[k];
    s.gate_bias[n] = gate_bias[k];
    s.up_bias[n] = up_bias[k];
  }
  asm volatile("bar.sync 1, 96;" ::: "memory");  // kHelpers
  if (warp != kDecider) return;
  BulkDecider<T, Hidden>{args, block, s, lane, group.count, group.first}.Run();
  // For the counts; behind the last neuron 0 up to the end of its tile.
  const SparseRowsScratch at(false, group.count, args.intermediate, Hidden);
  auto* kept = reinterpret_cast<uint8_t*>(static_cast<uint32_t*>(args.scratch) + at.kept);
  for (int n = lane; n < block.neurons; n += 32) kept[block.first + n] = s.rows[n];
  const int64_t behind = args.intermediate + lane;
  if (blockIdx.x == 0 && behind < at.tiles * kRowsTile) kept[behind] = 0;
}

template <class T, int Hidden>
__global__ void __launch_bounds__(kBulkThreads, 1) BulkRows(const GatedMlpArgs args, const RowGroup group) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  using Size = BulkSize<Hidden>;
  extern __shared__ __align__(128) unsigned char shared_bytes[];
  auto& s = *reinterpret_cast<BulkRowsShared<Hidden>*>(shared_bytes);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const BulkBlock block(args.intermediate);
  AllowNextKernel();
  if (warp >= kBulkWarps) {
    GiveRegisters();
    DecideAndFetch<T, Hidden>(args, group, block, s, warp, lane);
    return;
  }
  TakeRegisters();
  BulkWorker<T, Hidden> worker{args, block, s, warp, lane};
  {
    uint4 x[Size::kChunks];
    const int g = lane >> 2, t = lane & 3;
    const auto* row =
        reinterpret_cast<const uint4*>(static_cast<const T*>(args.x) + (group.first + g) * Hidden) +
        warp * (Size::kBytes / 16) + t;
#pragma unroll
    for (int c = 0; c < Size::kChunks; ++c) {
      x[c] = g < group.count ? LoadNow(row + c * 4) : make_uint4(0, 0, 0, 0);
    }
    __syncthreads();
    worker.Dots(x);
  }
  const SparseRowsScratch at(false, group.count, args.intermediate, Hidden);
  const int rows = RowsCompiled(group.count);
  worker.Down(reinterpret_cast<float*>(static_cast<uint32_t*>(args.scratch) + at.parts) +
                  static_cast<int64_t>(blockIdx.x) * rows * Hidden,
              rows);
#endif
}

}  // namespace cats::cuda
