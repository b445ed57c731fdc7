/* SPDX-License-Identifier: MIT
 * C interface of libcats_onnx besides RegisterCustomOps: version, description, and the kernels for tests and
 * tools. Thread-safe; nothing throws, aborts or prints. docs/op-spec.md says what the kernels compute. */
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
 * built_isas (those in this file), cuda_architectures ("90a-real 120"; null: built without CUDA), contents (a
 * line that says both and stands in the file as it is), ops (inputs, outputs, attributes, dtypes, kernels).
 * Static memory; null only where memory ran out. */
CATS_EXPORT const char* CatsDescribeOps(void) CATS_NOEXCEPT;

/* T, the type of tensors of the op's dtype. */
enum { CATS_F32 = 0, CATS_F16 = 1, CATS_BF16 = 2 };
/* Instruction sets; CATS_ISA_CHOSEN is what the ops use (CATS_FORCE_ISA forces one). */
enum { CATS_ISA_CHOSEN = -1, CATS_ISA_GENERIC = 0, CATS_ISA_AVX2 = 1, CATS_ISA_AVX512 = 2 };
/* Which of the two kernels runs; CATS_PATH_AUTO chooses by the number of rows, as the op does. */
enum { CATS_PATH_AUTO = 0, CATS_PATH_FEW_ROWS = 1, CATS_PATH_MANY_ROWS = 2 };

/* Spreads work over threads: calls body(arg, task) once for each task in [0, tasks) on any thread and in any
 * order, returns after the last with 1, or 0 on failure. Null where a function takes one: the calling thread.
 */
typedef void (*CatsTask)(void* arg, int64_t task);
typedef int32_t (*CatsParallelFor)(void* pool, int64_t tasks, CatsTask body, void* arg);

/* Each function returns 0, or 1 with the reason in `error` (error_size bytes, cut to fit, may be null).
 * Pointers need the alignment of their type only; outputs overlap no input unless said. */

CATS_EXPORT int32_t CatsRunSparseGatedMlp(
    int32_t dtype, int32_t isa, int32_t path, int64_t rows, int64_t hidden_size, int64_t intermediate_size,
    const void* x,                                   /* T [rows, hidden_size] */
    const void* gate,                                /* T [intermediate_size, hidden_size] */
    const void* up,                                  /* T [intermediate_size, hidden_size] */
    const void* down,                                /* T [intermediate_size, hidden_size] */
    const float* threshold, int64_t threshold_count, /* 1 or intermediate_size values */
    const void* gate_bias,                           /* T [intermediate_size] or null */
    const void* up_bias,                             /* T [intermediate_size] or null */
    const void* down_bias,                           /* T [hidden_size] or null */
    const float* scale, int64_t scale_count,         /* 1 or rows values; null with 0: 1 */
    void* y,                                         /* T [rows, hidden_size] */
    int32_t* active,                                 /* [rows] or null */
    CatsParallelFor parallel_for, void* pool, char* error, int64_t error_size) CATS_NOEXCEPT;

/* The definition in double, slow: y is double [rows, hidden_size], kept uint8 [rows, intermediate_size] or
 * null. */
CATS_EXPORT int32_t CatsRunSparseGatedMlpReference(int32_t dtype, int64_t rows, int64_t hidden_size,
                                                   int64_t intermediate_size, const void* x, const void* gate,
                                                   const void* up, const void* down, /* T, as above */
                                                   const float* threshold, int64_t threshold_count,
                                                   const void* gate_bias, const void* up_bias,
                                                   const void* down_bias, const float* scale,
                                                   int64_t scale_count, double* y, /* [rows, hidden_size] */
                                                   uint8_t* kept, /* [rows, intermediate_size] or null */
                                                   char* error, int64_t error_size) CATS_NOEXCEPT;

CATS_EXPORT int32_t CatsRunThreshold(
    int32_t dtype, int64_t rows, int64_t intermediate_size, const void* x, /* T [rows, intermediate_size] */
    const float* threshold, int64_t threshold_count,                       /* 1 or intermediate_size values */
    const float* scale, int64_t scale_count, /* 1 or rows values; null with 0: 1 */
    void* y,                                 /* T [rows, intermediate_size]; may be x */
    CatsParallelFor parallel_for, void* pool, char* error, int64_t error_size) CATS_NOEXCEPT;

CATS_EXPORT int32_t CatsRunGateObserver(int32_t dtype, int64_t rows, int64_t intermediate_size,
                                        const void* a, /* T [rows, intermediate_size], the activated gate */
                                        const void* u, /* T [rows, intermediate_size], up */
                                        const float* weight, /* [intermediate_size] or null */
                                        const uint8_t* mask, /* [rows], 0 leaves a row out, or null */
                                        int64_t* counts,     /* [32768] */
                                        double* up_abs_sum,  /* [intermediate_size] */
                                        int64_t* tokens,     /* [1] */
                                        CatsParallelFor parallel_for, void* pool, char* error,
                                        int64_t error_size) CATS_NOEXCEPT;

/* Which device a kernel of an op is made for. */
enum { CATS_DEVICE_CPU = 0, CATS_DEVICE_CUDA = 1 };

/* How many kernels of our ops ONNX Runtime has made for a device on the calling thread, which is the one that
 * makes the session: the difference that a session makes tells where its nodes were placed. 0 for a device
 * that is not known. */
CATS_EXPORT int64_t CatsKernelsMade(int32_t device) CATS_NOEXCEPT;

/* CUDA. Pointers are to memory of the device unless said, `stream` is a cudaStream_t. A library that was
 * built without CUDA returns 1 and says so. */

/* Loads the code of CatsCudaChooseGreedyToken, so that no later call waits for that. */
CATS_EXPORT int32_t CatsCudaLoadGreedyToken(int32_t dtype, int32_t device, char* error,
                                            int64_t error_size) CATS_NOEXCEPT;

/* Puts into the stream, for each row: the choice of the highest logit (the lowest id of equals), and the
 * inputs of the next decoding step. Integer tensors have elements of 4 or 8 bytes, or are null. Does not
 * wait. */
CATS_EXPORT int32_t CatsCudaChooseGreedyToken(
    int32_t dtype, int32_t device, int64_t rows, /* 0 to 65535 */
    const void* logits, /* T [rows, logits_stride], the first `vocabulary` of each count */
    int64_t vocabulary, int64_t logits_stride,
    int32_t* token, /* [rows], device or pinned memory: id, or -1 - id for a NaN */
    void* input_ids, int32_t input_ids_element,       /* [rows]: becomes the id */
    void* position_ids, int32_t position_ids_element, /* [rows]: becomes position */
    void* attention_mask,
    int32_t attention_mask_element, /* [rows, mask_stride]: element `position` becomes 1 */
    int64_t mask_stride, int64_t position, void* stream, char* error, int64_t error_size) CATS_NOEXCEPT;

/* Reads `bytes` of memory several times and gives the fastest rate in bytes a second. Waits. */
CATS_EXPORT int32_t CatsCudaMeasureReadCeiling(int32_t device, int64_t bytes, double* bytes_per_second,
                                               char* error, int64_t error_size) CATS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
