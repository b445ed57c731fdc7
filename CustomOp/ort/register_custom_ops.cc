// SPDX-License-Identifier: MIT
// The C ABI of libcats_onnx.
extern "C" __attribute__((visibility("default"))) const char* CatsVersion() noexcept { return "0.1.0"; }
