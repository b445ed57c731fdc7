// SPDX-License-Identifier: MIT
// The most likely token, chosen on the device, and with it the inputs of the next decoding step: between two
// steps the host needs one number only.
#pragma once
#include <cstdint>

#include "formats/dtype.h"

struct CUstream_st;  // cudaStream_t points to it

namespace cats::cuda {

// An integer tensor of a model: int32 (4) or int64 (8) elements; data is null where the model has no such
// input.
struct IntegerTensor {
  void* data;
  int32_t element_bytes;
};

struct GreedyTokenArgs {
  int64_t rows;        // sequences, at most 65,535
  const void* logits;  // T [rows, logits_stride], the first `vocabulary` of each row count
  int64_t vocabulary;  // at least 1, at most 2^31 - 1
  int64_t logits_stride;
  int32_t* token;              // [rows], device or pinned memory: the id, or -1 - id where that logit is NaN
  IntegerTensor input_ids;     // [rows]: becomes the id
  IntegerTensor position_ids;  // [rows]: becomes position
  IntegerTensor attention_mask;  // [rows, mask_stride]: element `position` becomes 1
  int64_t mask_stride;           // more than position
  int64_t position;              // of the chosen tokens in their sequences
};

// Both return a cudaError_t as int, 0 if all is well. The highest logit wins, the lowest id of equals; +0 is
// above -0.
int LoadGreedyToken(DType dtype, int device);
int LaunchGreedyToken(DType dtype, const GreedyTokenArgs& args, int device, CUstream_st* stream);

}  // namespace cats::cuda
