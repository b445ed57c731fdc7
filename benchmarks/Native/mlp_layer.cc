// SPDX-License-Identifier: MIT
// Weights, sessions and thresholds of the benchmarked layer.
#include "mlp_layer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/silu.h"

namespace cats::bench {
namespace {

constexpr size_t kRotation = size_t{2} << 30;
constexpr size_t kPage = 4096;

ONNXTensorElementDataType OnnxType(DType dtype) {
  switch (dtype) {
#define CATS_FORMAT(type, name, onnx) \
  case DType::k##type:                \
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_##onnx;
#include "formats/formats.def"
#undef CATS_FORMAT
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

float Get(const void* data, DType dtype, int64_t i) {
  return WithFormat(dtype, [&]<class T>(T) { return T::ToFloat(static_cast<const T*>(data)[i]); });
}

void Set(void* data, DType dtype, int64_t i, float value) {
  WithFormat(dtype, [&]<class T>(T) { static_cast<T*>(data)[i] = T::FromFloat(value); });
}

// Uniform in [-scale, scale), seeded: every run measures the same layer.
void Fill(void* data, DType dtype, int64_t count, float scale, uint32_t state) {
  for (int64_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    Set(data, dtype, i, (static_cast<float>(state >> 8) * (2.0f / 16777216.0f) - 1.0f) * scale);
  }
}

// Weights of a model file are mapped, so they begin on a page.
uint8_t* OnPage(std::vector<uint8_t>& bytes) {
  return bytes.data() + (kPage - reinterpret_cast<uintptr_t>(bytes.data()) % kPage) % kPage;
}

}  // namespace

MlpLayer::MlpLayer(const Ort::Env& env, const std::string& library, DType dtype, int64_t hidden,
                   int64_t intermediate)
    : dtype_(dtype),
      dense_dtype_(dtype == DType::kBF16 ? DType::kF32 : dtype),
      hidden_(hidden),
      intermediate_(intermediate) {
  const int64_t matrix = hidden * intermediate;
  const size_t bytes = static_cast<size_t>(matrix) * SizeOf(dtype);
  const size_t count = (kRotation + 3 * bytes - 1) / (3 * bytes);
  const float scale = std::sqrt(3.0f / static_cast<float>(hidden));  // g has variance 1
  for (size_t c = 0; c < count; ++c) {
    copies_.emplace_back(3 * bytes + kPage);
    uint8_t* base = OnPage(copies_.back());
    if (c == 0) {
      for (uint32_t part = 0; part < 3; ++part) Fill(base + part * bytes, dtype, matrix, scale, 17 + part);
    } else {
      std::memcpy(base, OnPage(copies_.front()), 3 * bytes);
    }
    sparse_.push_back(MlpSession::Sparse(
        env, library, {OnnxType(dtype), hidden, intermediate, base, base + bytes, base + 2 * bytes}));
  }

  // The dense model has the same numbers in the exporters' layout. ONNX Runtime packs its own copy of them
  // for each session (float16 as float, so fewer sessions make 2 GiB).
  const uint8_t* source = OnPage(copies_.front());
  const size_t dense_bytes = static_cast<size_t>(matrix) * SizeOf(dense_dtype_);
  dense_weights_.resize(3 * dense_bytes + kPage);
  uint8_t* base = OnPage(dense_weights_);
  constexpr int64_t kTile = 64;
  for (size_t part = 0; part < 2; ++part) {
    for (int64_t i0 = 0; i0 < intermediate; i0 += kTile) {
      for (int64_t j0 = 0; j0 < hidden; j0 += kTile) {
        for (int64_t i = i0; i < std::min(i0 + kTile, intermediate); ++i) {
          for (int64_t j = j0; j < std::min(j0 + kTile, hidden); ++j) {
            Set(base + part * dense_bytes, dense_dtype_, j * intermediate + i,
                Get(source + part * bytes, dtype, i * hidden + j));
          }
        }
      }
    }
  }
  for (int64_t i = 0; i < matrix; ++i) {
    Set(base + 2 * dense_bytes, dense_dtype_, i, Get(source + 2 * bytes, dtype, i));
  }
  const size_t packed = 3 * static_cast<size_t>(matrix) * sizeof(float);
  for (size_t c = 0; c < (kRotation + packed - 1) / packed; ++c) {
    dense_.push_back(MlpSession::Dense(env, {OnnxType(dense_dtype_), hidden, intermediate, base,
                                             base + dense_bytes, base + 2 * dense_bytes}));
  }

  const size_t values = static_cast<size_t>(kMaxRows * hidden);
  x_.resize(values * SizeOf(dtype));
  y_.resize(values * SizeOf(dtype));
  dense_x_.resize(values * SizeOf(dense_dtype_));
  dense_y_.resize(values * SizeOf(dense_dtype_));
  Fill(x_.data(), dtype, static_cast<int64_t>(values), 1.7f, 99);
  for (int64_t i = 0; i < static_cast<int64_t>(values); ++i) {
    Set(dense_x_.data(), dense_dtype_, i, Get(x_.data(), dtype, i));
  }

  std::vector<float> weights(static_cast<size_t>(hidden)), rows(static_cast<size_t>(kMaskedRows * hidden));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = Get(x_.data(), dtype, static_cast<int64_t>(i));
  activation_.resize(static_cast<size_t>(kMaskedRows * intermediate));
  for (int64_t i = 0; i < intermediate; ++i) {
    for (int64_t j = 0; j < hidden; ++j) weights[static_cast<size_t>(j)] = Get(source, dtype, i * hidden + j);
    for (int64_t r = 0; r < kMaskedRows; ++r) {
      float g = 0.0f;
      for (int64_t j = 0; j < hidden; ++j) {
        g += weights[static_cast<size_t>(j)] * rows[static_cast<size_t>(r * hidden + j)];
      }
      activation_[static_cast<size_t>(r * intermediate + i)] = std::fabs(Silu(g));
    }
  }
}

float MlpLayer::ThresholdFor(double sparsity) const {
  if (sparsity <= 0.0) return 0.0f;
  std::vector<float> sorted(activation_.begin(), activation_.begin() + intermediate_);
  std::sort(sorted.begin(), sorted.end());
  return sorted[static_cast<size_t>(sparsity * static_cast<double>(intermediate_))];
}

double MlpLayer::UnionOfActive(int64_t rows, float threshold) const {
  if (rows > kMaskedRows) return 1.0;
  int64_t active = 0;
  for (int64_t i = 0; i < intermediate_; ++i) {
    bool any = false;
    for (int64_t r = 0; r < rows; ++r)
      any |= !(activation_[static_cast<size_t>(r * intermediate_ + i)] < threshold);
    active += any ? 1 : 0;
  }
  return static_cast<double>(active) / static_cast<double>(intermediate_);
}

double MlpLayer::BytesNeeded(int64_t rows, float threshold) const {
  return static_cast<double>(copy_bytes()) / 3.0 * (1.0 + 2.0 * UnionOfActive(rows, threshold));
}

double MlpLayer::RunSparse(int64_t rows, float threshold) {
  return sparse_[next_sparse_++ % sparse_.size()].Run(x_.data(), y_.data(), rows, threshold);
}

double MlpLayer::RunDense(int64_t rows) {
  return dense_[next_dense_++ % dense_.size()].Run(dense_x_.data(), dense_y_.data(), rows, 0.0f);
}

double MlpLayer::Difference(int64_t rows) const {
  double difference = 0.0, largest = 0.0;
  for (int64_t i = 0; i < rows * hidden_; ++i) {
    const double dense = Get(dense_y_.data(), dense_dtype_, i);
    difference = std::max(difference, std::fabs(Get(y_.data(), dtype_, i) - dense));
    largest = std::max(largest, std::fabs(dense));
  }
  return difference / largest;
}

}  // namespace cats::bench
