// SPDX-License-Identifier: MIT
// What an op is, told once: its schema, its shape inference and its kernels. ort/ turns this into ONNX
// Runtime's custom ops and into CatsDescribeOps; this folder knows no ONNX Runtime.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/dtype.h"
#include "kernels/parallel_for.h"

struct CUstream_st;  // cudaStream_t points to it

namespace cats {

// kT in a schema stands for the op's dtype: float, float16 or bfloat16.
enum class ElementType { kT, kF32, kF16, kBF16, kF64, kI32, kI64, kBool, kOther };
const char* NameOf(ElementType type) noexcept;  // as ONNX writes it: "float", "int64", ...
ElementType ElementTypeOf(DType dtype) noexcept;

enum class Device { kCpu, kCuda };
const char* NameOf(Device device) noexcept;

struct Parameter {
  const char* name;
  ElementType type;
  bool optional;
};

struct StringAttribute {
  const char* name;
  const char* default_value;
  std::span<const char* const> implemented;
  std::span<const char* const> reserved;  // refused by name: a later version gives them a meaning
};

// Where a CUDA kernel launches: always on this stream, never on the default one.
struct CudaLane {
  CUstream_st* stream;
  int device;
};

// c = a times b, plus bias where there is one, summed in float32 and rounded once to the op's dtype; in
// float32 as exact as the session's other products are (ONNX Runtime's use_tf32).
struct DenseProduct {
  const void* a;                 // T [rows, depth]
  const void* b;                 // T [columns, depth] if b_transposed, else [depth, columns]
  const void* bias;              // T [columns] or null
  void* c;                       // T [rows, columns]
  int64_t rows, depth, columns;  // none is 0
  bool b_transposed;
};

// A tensor as a kernel sees it, in the memory of the kernel's device; valid during one call.
struct Tensor {
  const char* name;
  ElementType type;
  std::span<const int64_t> dims;
  const void* data;
  bool present;
};

// What ort/ (or a test) gives to a call. Everything it throws, and everything the op throws, becomes a
// status.
class OpContext {
 public:
  virtual ~OpContext() = default;
  virtual Tensor Input(size_t index) = 0;  // present = false for an optional input that is not there
  // Memory of output `index`, of the type that the schema says; null where nobody reads an optional output.
  virtual void* Output(size_t index, std::span<const int64_t> dims) = 0;
  // Memory of the kernel's device, aligned to 64, freed after the call (on CUDA: after what the call put into
  // its stream); null for 0 bytes.
  virtual void* Scratch(size_t bytes) = 0;
  virtual const ParallelFor& parallel_for() = 0;  // of CPU kernels
  virtual CudaLane cuda_lane() = 0;               // of CUDA kernels
  // Products of whole matrices in the kernel's device, on the call's stream, for kernels that ask for them
  // (OpKernel::wants_products). False where the runtime has none.
  virtual bool has_products() = 0;
  virtual void Multiply(const DenseProduct& product) = 0;
};

// A dimension that may be known by value, by symbol or not at all.
struct InferredDim {
  int64_t value;  // -1: not known
  std::string symbol;
};
using InferredShape = std::vector<InferredDim>;

class ShapeContext {
 public:
  virtual ~ShapeContext() = default;
  // False where the rank of the input is not known (a rank of 0 counts as not known).
  virtual bool Input(size_t index, InferredShape* shape) = 0;
  virtual void Output(size_t index, const InferredShape& shape) = 0;
};

// One line of an op's kernel table.
struct OpKernel {
  Device device;
  DType dtype;
  void (*compute)(OpContext& context);
  const char* (*unavailable)() noexcept;  // null, or a function that says why it cannot run here (or null)
  void (*load)(int device);               // null, or what is done before the first call on that device
  bool wants_products = false;            // its calls may Multiply
};

struct OpDefinition {
  const char* name;
  int start_version;
  std::span<const Parameter> inputs;
  std::span<const Parameter> outputs;
  std::span<const StringAttribute> string_attributes;
  std::span<const char* const> reserved_attributes;  // of any type: refused where present
  std::span<const OpKernel> kernels;
  bool first_output_may_reuse_first_input;
  void (*infer_shapes)(ShapeContext& context);
};

extern const OpDefinition kSparseGatedMlp;
extern const OpDefinition kSkipRmsNormSparseGatedMlp;
extern const OpDefinition kCatsThreshold;
extern const OpDefinition kGateObserver;

}  // namespace cats
