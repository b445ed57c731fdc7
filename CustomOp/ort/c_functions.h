// SPDX-License-Identifier: MIT
// What the functions of cats_onnx.h share: every failure becomes a message, and arguments are checked.
#pragma once
#include <cstdint>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "formats/dtype.h"
#include "ops/checks.h"

namespace cats {

struct Failure {
  char* text;
  int64_t size;
  int32_t operator()(const char* message) const noexcept {
    if (text != nullptr && size > 0) std::snprintf(text, static_cast<size_t>(size), "%s", message);
    return 1;
  }
};

template <class Body>
int32_t Guarded(const char* function, char* error, int64_t error_size, Body&& body) noexcept {
  const Failure fail{error, error_size};
  try {
    body();
    return 0;
  } catch (const std::bad_alloc&) {
    return fail("out of memory");
  } catch (const std::exception& exception) {
    try {
      return fail((std::string(function) + ": " + exception.what()).c_str());
    } catch (...) {
      return fail(exception.what());
    }
  } catch (...) {
    return fail("unknown exception");
  }
}

inline DType CheckedDType(int32_t dtype) {
  for (DType known : kDTypes) {
    if (static_cast<int32_t>(known) == dtype) return known;
  }
  throw OpError("dtype is " + std::to_string(dtype) + "; expected 0 (float), 1 (float16) or 2 (bfloat16)");
}

inline void CheckSize(const char* name, int64_t value) {
  if (value < 0) throw OpError(std::string(name) + " is " + std::to_string(value) + "; expected 0 or more");
}

inline void CheckPointer(const char* name, const void* pointer, int64_t elements) {
  if (pointer == nullptr && elements > 0) throw OpError(std::string(name) + " is null");
}

}  // namespace cats
