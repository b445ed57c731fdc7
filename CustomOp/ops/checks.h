// SPDX-License-Identifier: MIT
// Checks of tensors against a schema. A failure is an OpError whose text names the tensor, what was expected
// and what was found; ort/ puts op and node before it.
#pragma once
#include <initializer_list>
#include <stdexcept>
#include <string>

#include "ops/op.h"

namespace cats {

class OpError : public std::runtime_error {
  using runtime_error::runtime_error;
};

std::string Text(std::span<const int64_t> dims);  // "[2, 3]"

// Reads input `index` and checks presence and element type against the schema, T standing for `dtype`, and
// that its number of elements fits in 64 bits.
Tensor CheckedInput(const OpDefinition& op, DType dtype, OpContext& context, size_t index);

// a * b; an OpError naming `what` where it does not fit in int64_t or an operand is negative.
int64_t CheckedProduct(int64_t a, int64_t b, const char* what);
int64_t ElementCount(const Tensor& tensor);

// The last dimension and the product of the others; rank 0 is an OpError.
struct RowsAndWidth {
  int64_t rows;
  int64_t width;
};
RowsAndWidth SplitLastDim(const Tensor& tensor);

// The tensor has exactly these dimensions; `meaning` says what they stand for, "[intermediate_size,
// hidden_size]".
void CheckDims(const Tensor& tensor, std::initializer_list<int64_t> dims, const char* meaning);

// One value (any shape of one element up to rank 1) or [width]; true if it is one per neuron.
bool IsPerNeuron(const Tensor& threshold, int64_t width, const char* meaning);

// threshold_scale: one value, or one per row, shaped [rows], like `x` without its last dimension, or that
// with a last dimension of 1. Returns whether it has one value per row.
bool IsPerRow(const Tensor& scale, const Tensor& x, int64_t rows);

// Leading dimensions of x.
std::span<const int64_t> LeadingDims(const Tensor& x);

}  // namespace cats
