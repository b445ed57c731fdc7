/* SPDX-License-Identifier: MIT
 * C interface of libcats_onnx besides RegisterCustomOps: version and description. Thread-safe; nothing
 * throws, aborts or prints. */
#ifndef CATS_ONNX_H_
#define CATS_ONNX_H_
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define CATS_EXPORT __declspec(dllexport)
#else
#define CATS_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
#define CATS_NOEXCEPT noexcept
extern "C" {
#else
#define CATS_NOEXCEPT
#endif

/* The library's version, "0.1.0". Static memory. */
CATS_EXPORT const char* CatsVersion(void) CATS_NOEXCEPT;

/* One JSON document: version, domain, built_api, floor_api, isa (the chosen one), isas (those that run here),
 * ops (inputs, outputs, attributes, dtypes, kernels). Static memory; null only where memory ran out. */
CATS_EXPORT const char* CatsDescribeOps(void) CATS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
