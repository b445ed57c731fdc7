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

int32_t CatsCudaChooseGreedyToken(
    [[maybe_unused]] int32_t dtype, [[maybe_unused]] int32_t device, [[maybe_unused]] const void* logits,
    [[maybe_unused]] int64_t vocabulary, [[maybe_unused]] int32_t* token, [[maybe_unused]] void* input_ids,
    [[maybe_unused]] int32_t input_ids_element, [[maybe_unused]] void* position_ids,
    [[maybe_unused]] int32_t position_ids_element, [[maybe_unused]] void* attention_mask,
    [[maybe_unused]] int32_t attention_mask_element, [[maybe_unused]] int64_t position,
    [[maybe_unused]] void* stream, char* error, int64_t error_size) noexcept {
  return cats::WithCuda("CatsCudaChooseGreedyToken", error, error_size, [&] {
#if defined(CATS_CUDA)
    using namespace cats;
    const DType type = CheckedDType(dtype);
    if (vocabulary < 1 || vocabulary > std::numeric_limits<int32_t>::max()) {
      throw OpError("vocabulary is " + std::to_string(vocabulary) + "; expected 1 to 2147483647");
    }
    CheckSize("position", position);
    CheckPointer("logits", logits, 1);
    CheckPointer("token", token, 1);
    const cuda::GreedyTokenArgs args{logits,
                                     vocabulary,
                                     token,
                                     CheckedTensor("input_ids", input_ids, input_ids_element),
                                     CheckedTensor("position_ids", position_ids, position_ids_element),
                                     CheckedTensor("attention_mask", attention_mask, attention_mask_element),
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
    if (bytes < 16) throw cats::OpError("bytes is " + std::to_string(bytes) + "; expected 16 or more");
    cats::CheckPointer("bytes_per_second", bytes_per_second, 1);
    cats::ThrowIfCudaFailed(cats::cuda::MeasureReadCeiling(device, bytes, kRepeats, bytes_per_second),
                            "reading");
#endif
  });
}

}  // extern "C"
