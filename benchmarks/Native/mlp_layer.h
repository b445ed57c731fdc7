// SPDX-License-Identifier: MIT
// One gated MLP with random weights, several times in memory: each run takes the next copy, so that nothing
// of it is left in a cache (2 GiB in turn, for the dense session and for the sparse one).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "formats/dtype.h"
#include "ort_session.h"

namespace cats::bench {

constexpr int64_t kMaxRows = 512;

class MlpLayer {
 public:
  MlpLayer(const Ort::Env& env, const std::string& library, DType dtype, int64_t hidden,
           int64_t intermediate);

  // The scalar threshold that drops this share of the neurons of the first row; 0 drops none.
  float ThresholdFor(double sparsity) const;
  // The share of neurons that one of the first rows keeps; known for up to kMaskedRows, above it 1.
  double UnionOfActive(int64_t rows, float threshold) const;
  // Bytes of weights that must be read: gate, and the active rows of up and down.
  double BytesNeeded(int64_t rows, float threshold) const;

  // Both on the next copy; seconds.
  double RunSparse(int64_t rows, float threshold);
  double RunDense(int64_t rows);
  // Largest difference of the last outputs over the largest value.
  double Difference(int64_t rows) const;

  const void* copy(size_t index) const { return copies_[index % copies_.size()].data(); }
  size_t copy_bytes() const { return 3 * static_cast<size_t>(hidden_ * intermediate_) * SizeOf(dtype_); }

 private:
  static constexpr int64_t kMaskedRows = 8;

  DType dtype_;
  DType dense_dtype_;  // dtype_, or float where ONNX Runtime has no dense nodes for it
  int64_t hidden_;
  int64_t intermediate_;
  std::vector<std::vector<uint8_t>> copies_;  // each gate, up, down: T [intermediate, hidden]
  std::vector<uint8_t> dense_weights_;  // gate, up: [hidden, intermediate]; down: [intermediate, hidden]
  std::vector<MlpSession> dense_;
  std::vector<MlpSession> sparse_;
  std::vector<uint8_t> x_, dense_x_, y_, dense_y_;  // [kMaxRows, hidden]
  std::vector<float> activation_;                   // [kMaskedRows][intermediate], abs(SiLU(gate))
  size_t next_sparse_ = 0;
  size_t next_dense_ = 0;
};

}  // namespace cats::bench
