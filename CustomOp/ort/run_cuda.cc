// SPDX-License-Identifier: MIT
// The CUDA functions of cats_onnx.h: arguments checked, every failure a message.
#include <limits>
#include <string>

#include "cats_onnx.h"
#include "ops/cuda.h"
#include "ort/c_functions.h"
#if defined(CATS_CUDA)
#include "kernels/cuda/greedy_token.h"
#include "kernels/cuda/read_ceiling.h"
#endif

namespace cats {
namespace {

#if defined(CATS_CUDA)
cuda::IntegerTensor CheckedTensor(const char* name, void* data, int32_t element_bytes) {
  if (data != nullptr && element_bytes != 4 && element_bytes != 8) {
    throw OpError(std::string(name) + " has elements of " + std::to_string(element_bytes) +
                  " bytes; expected 4 or 8");
  }
  return {data, element_bytes};
}

void CheckRange(const char* name, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return;
  throw OpError(std::string(name) + " is " + std::to_string(value) + "; expected " + std::to_string(least) +
                " to " + std::to_string(most));
}
#endif

template <class Body>
int32_t WithCuda(const char* function, char* error, int64_t error_size,
                 [[maybe_unused]] Body&& body) noexcept {
  return Guarded(function, error, error_size, [&] {
#if defined(CATS_CUDA)
    body();
#else
    throw OpError("this libcats_onnx was built without CUDA");
#endif
  });
}

}  // namespace
}  // namespace cats

extern "C" {

int32_t CatsCudaLoadGreedyToken([[maybe_unused]] int32_t dtype, [[maybe_unused]] int32_t device, char* error,
                                int64_t error_size) noexcept {
  return cats::WithCuda("CatsCudaLoadGreedyToken", error, error_size, [&] {
#if defined(CATS_CUDA)
    cats::ThrowIfCudaFailed(cats::cuda::LoadGreedyToken(cats::CheckedDType(dtype), device),
                            "loading the kernel");
#endif
  });
}

int32_t CatsCudaChooseGreedyToken([[maybe_unused]] int32_t dtype, [[maybe_unused]] int32_t device,
                                  [[maybe_unused]] int64_t rows, [[maybe_unused]] const void* logits,
                                  [[maybe_unused]] int64_t vocabulary, [[maybe_unused]] int64_t logits_stride,
                                  [[maybe_unused]] int32_t* token, [[maybe_unused]] void* input_ids,
                                  [[maybe_unused]] int32_t input_ids_element,
                                  [[maybe_unused]] void* position_ids,
                                  [[maybe_unused]] int32_t position_ids_element,
                                  [[maybe_unused]] void* attention_mask,
                                  [[maybe_unused]] int32_t attention_mask_element,
                                  [[maybe_unused]] int64_t mask_stride, [[maybe_unused]] int64_t position,
                                  [[maybe_unused]] void* stream, char* error, int64_t error_size) noexcept {
  return cats::WithCuda("CatsCudaChooseGreedyToken", error, error_size, [&] {
#if defined(CATS_CUDA)
    using namespace cats;
    const DType type = CheckedDType(dtype);
    CheckRange("rows", rows, 0, 65535);
    CheckRange("vocabulary", vocabulary, 1, std::numeric_limits<int32_t>::max());
    CheckRange("logits_stride", logits_stride, vocabulary, std::numeric_limits<int64_t>::max());
    CheckRange("position", position, 0, std::numeric_limits<int32_t>::max());
    if (attention_mask != nullptr) {
      CheckRange("mask_stride", mask_stride, position + 1, std::numeric_limits<int32_t>::max());
    }
    CheckPointer("logits", logits, rows);
    CheckPointer("token", token, rows);
    const cuda::GreedyTokenArgs args{rows,
                                     logits,
                                     vocabulary,
                                     logits_stride,
                                     token,
                                     CheckedTensor("input_ids", input_ids, input_ids_element),
                                     CheckedTensor("position_ids", position_ids, position_ids_element),
                                     CheckedTensor("attention_mask", attention_mask, attention_mask_element),
                                     mask_stride,
                                     position};
    ThrowIfCudaFailed(cuda::LaunchGreedyToken(type, args, device, static_cast<CUstream_st*>(stream)),
                      "launch");
#endif
  });
}

int32_t CatsCudaMeasureReadCeiling([[maybe_unused]] int32_t device, [[maybe_unused]] int64_t bytes,
                                   [[maybe_unused]] double* bytes_per_second, char* error,
                                   int64_t error_size) noexcept {
  return cats::WithCuda("CatsCudaMeasureReadCeiling", error, error_size, [&] {
#if defined(CATS_CUDA)
    constexpr int kRepeats = 5;
    cats::CheckRange("bytes", bytes, 16, std::numeric_limits<int64_t>::max() - 16);
    cats::CheckPointer("bytes_per_second", bytes_per_second, 1);
    cats::ThrowIfCudaFailed(cats::cuda::MeasureReadCeiling(device, bytes, kRepeats, bytes_per_second),
                            "reading");
#endif
  });
}

}  // extern "C"
