// SPDX-License-Identifier: MIT
// The CUDA launch plan: what the one-row kernel is chosen for, and that its fixed sizes hold for every mask.
#include "kernels/cuda/launch_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace cats::cuda {
namespace {

constexpr DeviceLimits kH200 = {132, 90, 232448, true};

TEST(LaunchPlan, TakesTheFusedKernelForTheShapesOfSevenAndThirteenBillionParameters) {
  const int64_t shapes[][2] = {{4096, 11008}, {4096, 14336}, {5120, 13824}, {2048, 5632}};
  for (const auto& shape : shapes) {
    for (DType dtype : kDTypes) {
      const SparseRowPlan plan = PlanSparseRow(kH200, dtype, shape[0], shape[1], true);
      EXPECT_TRUE(plan.fused) << NameOf(dtype) << " " << shape[0] << " x " << shape[1];
      EXPECT_EQ(plan.blocks, 132);
      EXPECT_TRUE(plan.exchange);
    }
  }
}

TEST(LaunchPlan, TakesTheGeneralKernelsForEverythingElse) {
  const auto fused = [](DeviceLimits device, int64_t hidden, int64_t intermediate, bool aligned) {
    return PlanSparseRow(device, DType::kF16, hidden, intermediate, aligned).fused;
  };
  EXPECT_TRUE(fused(kH200, 4096, 11008, true));
  EXPECT_FALSE(fused(kH200, 4096, 11008, false)) << "unaligned";
  EXPECT_FALSE(fused(kH200, 4097, 11008, true)) << "not a size it is compiled for";
  EXPECT_FALSE(fused(kH200, 4096, 131, true)) << "fewer neurons than blocks";
  EXPECT_FALSE(fused(kH200, 4096, 132 * kMaxNeuronsPerBlock + 1, true)) << "more neurons than a mask holds";
  EXPECT_TRUE(fused(kH200, 4096, 132 * kMaxNeuronsPerBlock, true));
  EXPECT_FALSE(fused({132, 80, 232448, true}, 4096, 11008, true)) << "no bulk copies";
  EXPECT_FALSE(fused({132, 90, 101376, true}, 4096, 11008, true)) << "too little shared memory";
  EXPECT_FALSE(fused({132, 90, 232448, false}, 4096, 11008, true)) << "no cooperative launch";
  EXPECT_FALSE(fused({kMaxBlocks + 1, 90, 232448, true}, 4096, 20000, true)) << "too many blocks";
  EXPECT_FALSE(PlanSparseRow(kH200, DType::kF32, 8192, 11008, true).fused) << "rows of 32 KB";
  EXPECT_FALSE(PlanSparseRow(kH200, DType::kF16, 0, 0, true).fused);
}

TEST(LaunchPlan, TwoRowsForEachWarpFitIntoSharedMemory) {
  for (int hidden : FusedHidden::kAll) {
    for (DType dtype : kDTypes) {
      const int64_t row_bytes = hidden * static_cast<int64_t>(SizeOf(dtype));
      const int64_t warps = FusedWarps(row_bytes);
      EXPECT_LE((warps * kStages + 1) * row_bytes + 19 * 1024, 227 * 1024) << hidden << " " << NameOf(dtype);
      if (!FusedRowsFit(row_bytes, 2)) continue;
      EXPECT_LE((warps * kStages + 2) * row_bytes + 27 * 1024, 227 * 1024) << hidden << " " << NameOf(dtype);
    }
  }
}

TEST(LaunchPlan, TwoRowsOfXTakeTheFusedKernelWhereTheyFit) {
  for (int hidden : {2048, 3072, 4096, 5120, 6144}) {
    EXPECT_TRUE(PlanSparseRow(kH200, DType::kF16, hidden, 11008, true, 2).fused) << hidden;
  }
  EXPECT_FALSE(PlanSparseRow(kH200, DType::kF16, 8192, 11008, true, 2).fused);
  EXPECT_TRUE(PlanSparseRow(kH200, DType::kF32, 3072, 8192, true, 2).fused);
  EXPECT_FALSE(PlanSparseRow(kH200, DType::kF32, 4096, 11008, true, 2).fused);
  EXPECT_FALSE(PlanSparseRow(kH200, DType::kF16, 4096, 11008, true, 3).fused);
  EXPECT_EQ(PlanSparseRow(kH200, DType::kF16, 4096, 11008, true, 2).scratch_bytes % 16, 0u);
}

TEST(LaunchPlan, AsksEarlyForTheSameBytesWhateverARowHolds) {
  EXPECT_EQ(PlanSparseRow(kH200, DType::kF16, 4096, 11008, true).prefetch_rows, 4);
  EXPECT_EQ(PlanSparseRow(kH200, DType::kF16, 4096, 11008, true).prefetch_first, 41);
  EXPECT_EQ(PlanSparseRow(kH200, DType::kF32, 4096, 11008, true).prefetch_rows, 2);
  EXPECT_EQ(PlanSparseRow(kH200, DType::kF16, 2048, 5632, true).prefetch_rows, 8);
}

TEST(LaunchPlan, ScratchHoldsItsParts) {
  const SparseRowExchange e(132, 11008, 4096, 1);
  EXPECT_EQ(e.masks, 0);
  EXPECT_EQ(e.h, 132 * 132 * kMaskWords);
  EXPECT_EQ(e.parts, e.h + 11008 * kSlabs);
  EXPECT_EQ(e.max_positions, 33);
  EXPECT_EQ(e.words, e.parts + 33 * 4096);
  const SparseRowExchange two(132, 11008, 4096, 2);
  EXPECT_EQ(two.parts, two.h + 11008 * kSlabs * 2);
  EXPECT_EQ(two.counts, two.parts + 33 * 4096 * 2);
  EXPECT_EQ(two.words, two.counts + 132 * 4);
  EXPECT_EQ(e.h % 4, 0);
  EXPECT_EQ(e.parts % 4, 0) << "16-byte words";
  const SparseRowPlan plan = PlanSparseRow(kH200, DType::kF16, 100, 37, true);
  EXPECT_EQ(plan.scratch_bytes, (12u + kMaxDownParts * 100u + 48u * kRowGroup) * 4u);
  // The area is filled in units of 16 bytes.
  for (int hidden : FusedHidden::kAll) {
    for (int64_t intermediate : {132, 5633, 11008}) {
      EXPECT_EQ(PlanSparseRow(kH200, DType::kF16, hidden, intermediate, true).scratch_bytes % 16, 0u);
    }
  }
}

TEST(LaunchPlan, TakesBulkCopiesForSeveralRowsWhereTheyAre) {
  EXPECT_TRUE(HasBulkRows(kH200, DType::kF16, 4096, 11008, true));
  EXPECT_TRUE(HasBulkRows(kH200, DType::kBF16, 5120, 13824, true));
  EXPECT_TRUE(HasBulkCopies(kH200, DType::kF16, true));
  EXPECT_FALSE(HasBulkRows(kH200, DType::kF32, 4096, 11008, true))
      << "its products are not on the tensor cores";
  EXPECT_FALSE(HasBulkRows(kH200, DType::kF16, 4096, 11008, false)) << "unaligned";
  EXPECT_FALSE(HasBulkRows(kH200, DType::kF16, 4104, 11008, true)) << "not a size it is compiled for";
  EXPECT_FALSE(HasBulkRows(kH200, DType::kF16, 4096, 131, true)) << "fewer neurons than blocks";
  EXPECT_FALSE(HasBulkRows(kH200, DType::kF16, 4096, 132 * kMaxBulkNeurons + 1, true));
  EXPECT_FALSE(HasBulkCopies({132, 80, 232448, true}, DType::kF16, true));
  EXPECT_FALSE(HasBulkRows({kMaxBulkBlocks + 1, 90, 232448, true}, DType::kF16, 4096, 11008, true));
  for (int hidden : BulkHidden::kAll) {
    EXPECT_TRUE(BulkHidden::Has(hidden));
    EXPECT_EQ(PartsRoom(false, hidden), kMaxBulkBlocks);
    EXPECT_EQ(PartsRoom(true, hidden), 32);
    int found = 0;
    EXPECT_TRUE(BulkHidden::With(hidden, [&]<int Size>() { found = Size; }));
    EXPECT_EQ(found, hidden);
  }
  EXPECT_FALSE(BulkHidden::With(4104, []<int>() { FAIL(); }));
}

TEST(LaunchPlan, TheScratchOfSeveralRowsIsAligned) {
  for (bool is_float32 : {false, true}) {
    for (int64_t rows = 1; rows <= 9; ++rows) {
      for (int64_t hidden : {0, 1, 37, 4096, 5120, 70000}) {
        for (int64_t intermediate : {0, 1, 16, 37, 11008}) {
          const SparseRowsScratch at(is_float32, rows, intermediate, hidden);
          const int64_t parts = PartsRoom(is_float32, hidden);
          ASSERT_GE(DownParts(is_float32, hidden), 1);
          ASSERT_LE(DownParts(is_float32, hidden), kMaxDownParts);
          ASSERT_LE(parts, kMaxParts);
          EXPECT_EQ(at.parts % 4, 0);
          EXPECT_GE(at.parts * 4, intermediate) << "a byte for each neuron";
          EXPECT_GE(at.h - at.parts, parts * RowsCompiled(rows) * hidden);
          EXPECT_EQ(at.h % 4, 0);
          EXPECT_EQ(at.words - at.h,
                    is_float32 ? intermediate * RowsCompiled(rows) : at.tiles * kRowsTile * kRowGroup);
        }
      }
    }
  }
  EXPECT_EQ(DownParts(false, 4096), 33);
}

TEST(LaunchPlan, ChunksOfManyRowsFitIntoTheirScratch) {
  EXPECT_EQ(DenseRowsChunk(DType::kF16, 2048, 11008), 2048);
  EXPECT_EQ(DenseRowsChunk(DType::kF16, 1 << 20, 11008), 5888);
  EXPECT_EQ(DenseRowsChunk(DType::kF32, 1 << 20, int64_t{1} << 31), 1) << "one row is the least";
  for (DType dtype : kDTypes) {
    for (int64_t intermediate : {1, 37, 11008, 14336, 1 << 20}) {
      for (int64_t rows : {1, 100, 6000, 100000}) {
        const int64_t chunk = DenseRowsChunk(dtype, rows, intermediate);
        ASSERT_GE(chunk, 1);
        ASSERT_LE(chunk, rows);
        EXPECT_LE(chunk * intermediate * 2 * static_cast<int64_t>(SizeOf(dtype)), kDenseScratchBytes);
      }
    }
  }
}

// The rule of RowPlanner::Range, for one slab: sizes of the ranges from the costs of its blocks.
std::vector<int> Ranges(int total, std::vector<int> cost) {
  std::vector<bool> in(cost.size(), true);
  for (;;) {
    int members = 0, work = total;
    for (size_t p = 0; p < cost.size(); ++p) {
      if (in[p]) ++members, work += cost[p];
    }
    const int level = work / members, rest = work - level * members;
    bool again = false;
    for (size_t p = 0; p < cost.size(); ++p) {
      if (in[p] && cost[p] > level) in[p] = false, again = true;
    }
    if (again) continue;
    std::vector<int> sizes;
    int nth = 0;
    for (size_t p = 0; p < cost.size(); ++p) {
      sizes.push_back(in[p] ? level - cost[p] + (nth < rest ? 1 : 0) : 0);
      nth += in[p] ? 1 : 0;
    }
    return sizes;
  }
}

TEST(LaunchPlan, EveryKeptNeuronHasOneAdderAndNoBlockMoreThanItHasRoomFor) {
  std::mt19937 random(7);
  for (int blocks : {kMinBlocks, 78, 114, 132, 144, kMaxBlocks}) {
    for (int neurons : {1, 2, 83, kMaxNeuronsPerBlock}) {
      for (int round = 0; round < 200; ++round) {
        // From even to all in a few blocks.
        std::vector<int> kept(blocks);
        const int every = 1 + round % 7;
        for (int b = 0; b < blocks; ++b) {
          kept[b] = round < 50       ? static_cast<int>(random() % (neurons + 1))
                    : b % every == 0 ? neurons
                                     : static_cast<int>(random() % 2);
        }
        int total = 0;
        for (int k : kept) total += k;
        for (int slab = 0; slab < kSlabs; ++slab) {
          std::vector<int> cost;
          for (int b = slab; b < blocks; b += kSlabs) cost.push_back(kSlabs * (neurons + kept[b]));
          const auto sizes = Ranges(total, cost);
          int sum = 0;
          for (int size : sizes) {
            ASSERT_GE(size, 0);
            ASSERT_LE(size, kMaxDownRows);
            sum += size;
          }
          ASSERT_EQ(sum, total);
        }
      }
    }
  }
}

}  // namespace
}  // namespace cats::cuda
