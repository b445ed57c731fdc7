// SPDX-License-Identifier: MIT
// The kernels behind cats_onnx.h: arguments checked, scratch made here, every failure a message.
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "cats_onnx.h"
#include "kernels/cats_threshold.h"
#include "kernels/cpu/isa.h"
#include "kernels/gate_observer.h"
#include "kernels/reference/sparse_gated_mlp.h"
#include "ops/checks.h"
#include "ort/c_functions.h"

namespace cats {
namespace {

// The numbers of cats_onnx.h are those of the enumerations.
static_assert(CATS_F32 == static_cast<int>(DType::kF32) && CATS_F16 == static_cast<int>(DType::kF16) &&
              CATS_BF16 == static_cast<int>(DType::kBF16));
static_assert(CATS_ISA_GENERIC == static_cast<int>(Isa::kGeneric) &&
              CATS_ISA_AVX2 == static_cast<int>(Isa::kAvx2) &&
              CATS_ISA_AVX512 == static_cast<int>(Isa::kAvx512));

// True if there is one value per item, false for one value.
bool CheckCount(const char* name, const void* values, int64_t count, int64_t items) {
  if (count != 1 && count != items) {
    throw OpError(std::string(name) + " has " + std::to_string(count) + " values; expected 1 or " +
                  std::to_string(items));
  }
  CheckPointer(name, values, count);
  return count == items;
}

struct CPool {
  CatsParallelFor run;
  void* pool;

  ParallelFor get() {
    if (run == nullptr) return SerialFor();
    return {[](void* self, int64_t tasks, ParallelFor::Body body, void* arg) noexcept {
              const auto& inner = *static_cast<CPool*>(self);
              return inner.run(inner.pool, tasks, body, arg) != 0;
            },
            this, 0};
  }
};

struct AlignedDelete {
  void operator()(void* memory) const noexcept { ::operator delete (memory, std::align_val_t{64}); }
};
using Scratch = std::unique_ptr<void, AlignedDelete>;
Scratch MakeScratch(size_t bytes) {
  return Scratch(bytes == 0 ? nullptr : ::operator new (bytes, std::align_val_t{64}));
}

void CheckMlp(GatedMlpArgs& args, int64_t threshold_count, int64_t scale_count) {
  CheckSize("rows", args.rows);
  CheckSize("hidden_size", args.hidden);
  CheckSize("intermediate_size", args.intermediate);
  if (args.intermediate > INT32_MAX) throw OpError("intermediate_size is above 2147483647");
  CheckedProduct(CheckedProduct(args.rows, args.hidden, "rows * hidden_size"), 16, "rows * hidden_size");
  CheckedProduct(CheckedProduct(args.rows, args.intermediate, "rows * intermediate_size"), 16,
                 "rows * intermediate_size");
  const int64_t weights = CheckedProduct(args.hidden, args.intermediate, "hidden_size * intermediate_size");
  CheckedProduct(weights, 16, "hidden_size * intermediate_size");
  CheckPointer("x", args.x, args.rows * args.hidden);
  CheckPointer("gate", args.gate, weights);
  CheckPointer("up", args.up, weights);
  CheckPointer("down", args.down, weights);
  CheckPointer("y", args.y, args.rows * args.hidden);
  args.threshold_per_neuron = CheckCount("threshold", args.threshold, threshold_count, args.intermediate);
  if (args.threshold_scale != nullptr) {
    args.scale_per_row = CheckCount("scale", args.threshold_scale, scale_count, args.rows);
  } else if (scale_count != 0) {
    throw OpError("scale is null and scale_count is " + std::to_string(scale_count));
  }
}

const GatedMlpKernels& KernelsOf(int32_t isa, DType dtype) {
  if (isa == CATS_ISA_CHOSEN) {
    const IsaChoice& choice = ChosenIsa();
    if (choice.error != nullptr) throw OpError(choice.error);
    return *GatedMlpKernelsOf(choice.isa, dtype);
  }
  for (Isa known : kIsas) {
    if (static_cast<int32_t>(known) != isa) continue;
    if (!IsSupported(known))
      throw OpError(std::string("isa ") + NameOf(known) + " does not run on this processor");
    return *GatedMlpKernelsOf(known, dtype);
  }
  throw OpError("isa is " + std::to_string(isa) + "; expected -1 to 2");
}

}  // namespace
}  // namespace cats

using namespace cats;  // NOLINT: the functions below are the only code outside the namespace

extern "C" {

int32_t CatsRunSparseGatedMlp(int32_t dtype, int32_t isa, int32_t path, int64_t rows, int64_t hidden_size,
                              int64_t intermediate_size, const void* x, const void* gate, const void* up,
                              const void* down, const float* threshold, int64_t threshold_count,
                              const void* gate_bias, const void* up_bias, const void* down_bias,
                              const float* scale, int64_t scale_count, void* y, int32_t* active,
                              CatsParallelFor parallel_for, void* pool, char* error,
                              int64_t error_size) noexcept {
  return Guarded("CatsRunSparseGatedMlp", error, error_size, [&] {
    const DType type = CheckedDType(dtype);
    const GatedMlpKernels& kernels = KernelsOf(isa, type);
    GatedMlpArgs args{rows,      hidden_size, intermediate_size, x, gate,   up,      down,  threshold, scale,
                      gate_bias, up_bias,     down_bias,         y, active, nullptr, false, false};
    CheckMlp(args, threshold_count, scale_count);
    bool many = rows >= kernels.many_rows_from(hidden_size, intermediate_size);
    if (path == CATS_PATH_FEW_ROWS || path == CATS_PATH_MANY_ROWS) {
      many = path == CATS_PATH_MANY_ROWS;
    } else if (path != CATS_PATH_AUTO) {
      throw OpError("path is " + std::to_string(path) + "; expected 0, 1 or 2");
    }
    if (rows == 0) return;
    const GatedMlpKernel& kernel = many ? kernels.many_rows : kernels.few_rows;
    const Scratch scratch = MakeScratch(kernel.scratch_bytes(rows, hidden_size, intermediate_size));
    args.scratch = scratch.get();
    CPool c_pool{parallel_for, pool};
    if (!kernel.run(args, c_pool.get())) throw OpError("parallel_for failed");
  });
}

int32_t CatsRunSparseGatedMlpReference(int32_t dtype, int64_t rows, int64_t hidden_size,
                                       int64_t intermediate_size, const void* x, const void* gate,
                                       const void* up, const void* down, const float* threshold,
                                       int64_t threshold_count, const void* gate_bias, const void* up_bias,
                                       const void* down_bias, const float* scale, int64_t scale_count,
                                       double* y, uint8_t* kept, char* error, int64_t error_size) noexcept {
  return Guarded("CatsRunSparseGatedMlpReference", error, error_size, [&] {
    const DType type = CheckedDType(dtype);
    GatedMlpArgs args{rows,      hidden_size, intermediate_size, x, gate,    up,      down,  threshold, scale,
                      gate_bias, up_bias,     down_bias,         y, nullptr, nullptr, false, false};
    CheckMlp(args, threshold_count, scale_count);
    const auto run = [&]<class T>(T) {
      const std::vector<float> a = reference::Activations<T>(args);
      const std::vector<uint8_t> mask = reference::Mask(args, a);
      const std::vector<double> output = reference::Output<T>(args, a, mask);
      std::copy(output.begin(), output.end(), y);
      if (kept != nullptr) std::copy(mask.begin(), mask.end(), kept);
    };
    WithFormat(type, run);
  });
}

int32_t CatsRunThreshold(int32_t dtype, int64_t rows, int64_t intermediate_size, const void* x,
                         const float* threshold, int64_t threshold_count, const float* scale,
                         int64_t scale_count, void* y, CatsParallelFor parallel_for, void* pool, char* error,
                         int64_t error_size) noexcept {
  return Guarded("CatsRunThreshold", error, error_size, [&] {
    const DType type = CheckedDType(dtype);
    CheckSize("rows", rows);
    CheckSize("intermediate_size", intermediate_size);
    const int64_t elements = CheckedProduct(rows, intermediate_size, "rows * intermediate_size");
    CheckedProduct(elements, 16, "rows * intermediate_size");
    CheckPointer("x", x, elements);
    CheckPointer("y", y, elements);
    CatsThresholdArgs args{rows, intermediate_size, x, threshold, scale, y, false, false};
    args.threshold_per_neuron = CheckCount("threshold", threshold, threshold_count, intermediate_size);
    if (scale != nullptr) args.scale_per_row = CheckCount("scale", scale, scale_count, rows);
    CPool c_pool{parallel_for, pool};
    const auto run = [&]<class T>(T) { return CatsThresholdKernel<T>::Run(args, c_pool.get()); };
    if (!WithFormat(type, run)) throw OpError("parallel_for failed");
  });
}

int32_t CatsRunGateObserver(int32_t dtype, int64_t rows, int64_t intermediate_size, const void* a,
                            const void* u, const float* weight, const uint8_t* mask, int64_t* counts,
                            double* up_abs_sum, int64_t* tokens, CatsParallelFor parallel_for, void* pool,
                            char* error, int64_t error_size) noexcept {
  return Guarded("CatsRunGateObserver", error, error_size, [&] {
    const DType type = CheckedDType(dtype);
    CheckSize("rows", rows);
    CheckSize("intermediate_size", intermediate_size);
    const int64_t elements = CheckedProduct(rows, intermediate_size, "rows * intermediate_size");
    CheckedProduct(elements, 16, "rows * intermediate_size");
    CheckPointer("a", a, elements);
    CheckPointer("u", u, elements);
    CheckPointer("counts", counts, 1);
    CheckPointer("up_abs_sum", up_abs_sum, intermediate_size);
    CheckPointer("tokens", tokens, 1);
    const Scratch scratch = MakeScratch(GateObserverScratchBytes(rows, intermediate_size));
    const GateObserverArgs args{rows,   intermediate_size, a, u, weight, mask, counts, up_abs_sum,
                                tokens, scratch.get()};
    CPool c_pool{parallel_for, pool};
    const auto run = [&]<class T>(T) { return GateObserverKernel<T>::Run(args, c_pool.get()); };
    if (!WithFormat(type, run)) throw OpError("parallel_for failed");
  });
}

}  // extern "C"
