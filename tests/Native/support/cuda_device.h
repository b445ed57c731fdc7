// SPDX-License-Identifier: MIT
// Device memory between guard bands, and CUDA's errors as exceptions, for the tests that need a GPU.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace cats::test {

inline void ThrowIfFailed(int error) {
  if (error != 0) throw std::runtime_error(cudaGetErrorName(static_cast<cudaError_t>(error)));
}

class DeviceBytes {
 public:
  static constexpr size_t kGuard = 256;

  explicit DeviceBytes(size_t size) : size_(size) {
    ThrowIfFailed(cudaMalloc(&memory_, size + 2 * kGuard));
    ThrowIfFailed(cudaMemset(memory_, 0xab, size + 2 * kGuard));
  }
  template <class V>
  explicit DeviceBytes(const std::vector<V>& host) : DeviceBytes(host.size() * sizeof(V)) {
    Set(host);
  }
  ~DeviceBytes() { cudaFree(memory_); }
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;

  void* data() const { return static_cast<uint8_t*>(memory_) + kGuard; }
  size_t size() const { return size_; }

  template <class V>
  void Set(const std::vector<V>& host) {
    ThrowIfFailed(cudaMemcpy(data(), host.data(), size_, cudaMemcpyHostToDevice));
  }
  template <class V>
  std::vector<V> Host() const {
    std::vector<V> host(size_ / sizeof(V));
    ThrowIfFailed(cudaMemcpy(host.data(), data(), size_, cudaMemcpyDeviceToHost));
    return host;
  }
  // Nothing was written before or behind.
  bool GuardsHold() const {
    std::vector<uint8_t> all(size_ + 2 * kGuard);
    ThrowIfFailed(cudaMemcpy(all.data(), memory_, all.size(), cudaMemcpyDeviceToHost));
    const auto untouched = [](uint8_t byte) { return byte == 0xab; };
    return std::all_of(all.begin(), all.begin() + kGuard, untouched) &&
           std::all_of(all.end() - kGuard, all.end(), untouched);
  }

 private:
  size_t size_;
  void* memory_ = nullptr;
};

}  // namespace cats::test
