// SPDX-License-Identifier: MIT
// The ops of the domain and the ONNX Runtime versions that the library works with.
#pragma once
#include "ops/op.h"

namespace cats {

constexpr const char* kDomain = "ai.cats";
constexpr int kOpsetVersion = 1;
constexpr uint32_t kFloorApiVersion = 28;  // ONNX Runtime 1.28

std::span<const OpDefinition* const> Ops() noexcept;

}  // namespace cats
