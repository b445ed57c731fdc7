// SPDX-License-Identifier: MIT
// DType names a stored format at run time; the list is formats.def.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "formats/bf16.h"
#include "formats/f16.h"
#include "formats/f32.h"

namespace cats {

enum class DType : int32_t {
#define CATS_FORMAT(type, name, onnx) k##type,
#include "formats/formats.def"
#undef CATS_FORMAT
};

constexpr DType kDTypes[] = {
#define CATS_FORMAT(type, name, onnx) DType::k##type,
#include "formats/formats.def"
#undef CATS_FORMAT
};

constexpr size_t SizeOf(DType dtype) {
  switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return sizeof(type);
#include "formats/formats.def"
#undef CATS_FORMAT
  }
  return 0;
}

constexpr const char* NameOf(DType dtype) {
  switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return #name;
#include "formats/formats.def"
#undef CATS_FORMAT
  }
  return "unknown";
}

// body(T{}) with the format that dtype names, and what it gives. A number that names none is the mistake of
// a caller that did not check it.
template <class Body>
auto WithFormat(DType dtype, Body&& body) {
  switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return body(type{});
#include "formats/formats.def"
#undef CATS_FORMAT
  }
  throw std::invalid_argument("no dtype has the number " + std::to_string(static_cast<int32_t>(dtype)));
}

}  // namespace cats
