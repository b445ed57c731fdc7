// SPDX-License-Identifier: MIT
// The table of instruction sets: one line per ISA.
#include "kernels/cpu/isa.h"

#include <cstdlib>
#include <string>

#include "kernels/cpu/gated_mlp_kernels.h"
#include "kernels/scalar/gated_mlp.h"

namespace cats {
namespace {

struct IsaEntry {
  Isa isa;
  const char* name;
  bool (*processor_has)() noexcept;
  const GatedMlpKernels* (*gated_mlp)(DType dtype) noexcept;  // null: not in this build
};

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
bool HasAvx2() noexcept {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
bool HasAvx512() noexcept {
  return HasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
bool HasAvx2() noexcept { return false; }
bool HasAvx512() noexcept { return false; }
#endif

// The generic kernels are written in the vectors of GCC and clang; elsewhere the scalar ones stand in.
#if defined(__GNUC__)
#define CATS_GENERIC_KERNELS GenericGatedMlpKernelsOf
#else
#define CATS_GENERIC_KERNELS ScalarGatedMlpKernelsOf
#endif
#if defined(__x86_64__)
#define CATS_X86_KERNELS(kernels) kernels
#else
#define CATS_X86_KERNELS(kernels) nullptr
#endif

constexpr IsaEntry kEntries[] = {
    {Isa::kGeneric, "generic", []() noexcept { return true; }, CATS_GENERIC_KERNELS},
    {Isa::kAvx2, "avx2", HasAvx2, CATS_X86_KERNELS(Avx2GatedMlpKernelsOf)},
    {Isa::kAvx512, "avx512", HasAvx512, CATS_X86_KERNELS(Avx512GatedMlpKernelsOf)},
};

const IsaEntry& EntryOf(Isa isa) noexcept { return kEntries[static_cast<size_t>(isa)]; }

}  // namespace

const char* NameOf(Isa isa) noexcept { return EntryOf(isa).name; }

bool IsSupported(Isa isa) noexcept {
  const IsaEntry& entry = EntryOf(isa);
  return entry.gated_mlp != nullptr && entry.processor_has();
}

bool ChooseIsa(const char* forced, Isa* isa, std::string* message) {
  if (forced == nullptr || *forced == '\0') {
    for (Isa candidate : kIsas) {
      if (IsSupported(candidate)) *isa = candidate;
    }
    return true;
  }
  for (const IsaEntry& entry : kEntries) {
    if (std::string(forced) != entry.name) continue;
    if (IsSupported(entry.isa)) {
      *isa = entry.isa;
      return true;
    }
    *message = std::string("CATS_FORCE_ISA is '") + forced +
               (entry.gated_mlp == nullptr ? "', which this build does not contain"
                                           : "', which this processor does not have");
    return false;
  }
  *message = std::string("CATS_FORCE_ISA is '") + forced + "'; it must be one of:";
  for (const IsaEntry& entry : kEntries) *message += std::string(" ") + entry.name;
  return false;
}

const IsaChoice& ChosenIsa() noexcept {
  // Never destroyed: a session may run while the process ends.
  static const IsaChoice choice = []() noexcept -> IsaChoice {
    Isa isa = Isa::kGeneric;
    try {
      auto* message = new std::string;
      if (ChooseIsa(std::getenv("CATS_FORCE_ISA"), &isa, message)) {
        delete message;
        return {isa, nullptr};
      }
      return {isa, message->c_str()};
    } catch (...) {
      return {isa, "out of memory while reading CATS_FORCE_ISA"};
    }
  }();
  return choice;
}

const GatedMlpKernels* GatedMlpKernelsOf(Isa isa, DType dtype) noexcept {
  const IsaEntry& entry = EntryOf(isa);
  return entry.gated_mlp == nullptr ? nullptr : entry.gated_mlp(dtype);
}

}  // namespace cats
