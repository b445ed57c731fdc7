// SPDX-License-Identifier: MIT
// What the library does when ONNX Runtime itself fails: a copy of the real OrtApi with one function replaced.
// Also registration: version negotiation, twice on the same options, null arguments.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>

#include "support/cats_models.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace cats::test {
namespace {

using RegisterFunction = OrtStatus*(ORT_API_CALL*)(OrtSessionOptions*, const OrtApiBase*);

RegisterFunction Entry(const char* name = "RegisterCustomOps") {
  static void* library = dlopen(CATS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<RegisterFunction>(dlsym(library, name));
}

std::string RegisterError(OrtSessionOptions* options, const OrtApiBase* base,
                          const char* name = "RegisterCustomOps") {
  return ErrorOf([&] { Runtime().Check(Entry(name)(options, base)); });
}

struct Options {
  OrtSessionOptions* value = nullptr;
  Options() { Runtime().Check(Runtime().api().CreateSessionOptions(&value)); }
  ~Options() { Runtime().api().ReleaseSessionOptions(value); }
};

TEST(Registration, TwiceOnTheSameOptionsIsAClearError) {
  for (const char* name : {"RegisterCustomOps", "RegisterCatsCustomOps"}) {
    const Options options;
    EXPECT_EQ("", RegisterError(options.value, Runtime().base()));
    const std::string error = RegisterError(options.value, Runtime().base(), name);
    EXPECT_NE(std::string::npos, error.find("already registered")) << error;
    const Options other;
    EXPECT_EQ("", RegisterError(other.value, Runtime().base(), name));
  }
}

TEST(Registration, NullOptionsAreAnErrorAndANullBaseIsNoCrash) {
  EXPECT_NE(std::string::npos, RegisterError(nullptr, Runtime().base()).find("null"));
  EXPECT_EQ("", RegisterError(nullptr, nullptr));
}

// A base with a version of our choosing; remembers which API versions were asked for.
const char* fake_version = "1.31.1";
std::vector<uint32_t> asked;
const OrtApi* ORT_API_CALL FakeGetApi(uint32_t version) noexcept {
  asked.push_back(version);
  return Runtime().base()->GetApi(version);
}
const char* ORT_API_CALL FakeVersion() noexcept { return fake_version; }
constexpr OrtApiBase kFakeBase = {FakeGetApi, FakeVersion};

TEST(Registration, AsksForTheLowerOfOurVersionAndTheRuntimes) {
  for (const auto& [version, expected] : std::vector<std::pair<const char*, uint32_t>>{{"1.28.0", 28u},
                                                                                       {"1.30.2", 30u},
                                                                                       {"1.31.1", 31u},
                                                                                       {"1.32.0", 31u},
                                                                                       {"1.99.0-dev", 31u},
                                                                                       {"2.0.0", 31u}}) {
    fake_version = version;
    asked.clear();
    const Options options;
    EXPECT_EQ("", RegisterError(options.value, &kFakeBase)) << version;
    EXPECT_EQ(std::vector<uint32_t>{expected}, asked) << version;
  }
}

TEST(Registration, BelowTheFloorOnlyVersionOneIsAskedForAndBothVersionsAreNamed) {
  for (const char* version : {"1.27.9", "1.23.2", "1.2.0", "0.9", "", "nonsense"}) {
    fake_version = version;
    asked.clear();
    const Options options;
    const std::string error = RegisterError(options.value, &kFakeBase);
    EXPECT_NE(std::string::npos, error.find("1.28")) << error;
    EXPECT_NE(std::string::npos, error.find(version)) << error;
    EXPECT_EQ(std::vector<uint32_t>{1u}, asked);
  }
}

// The patched API. `countdown` calls succeed, then the replaced function fails until it is set again.
OrtApi patched;
std::atomic<int> countdown{1 << 30};
bool Fails() { return countdown-- <= 0; }
OrtStatus* Injected() { return Runtime().api().CreateStatus(ORT_EP_FAIL, "injected failure"); }

const OrtApi* ORT_API_CALL PatchedGetApi(uint32_t) noexcept { return &patched; }
const char* ORT_API_CALL PatchedVersion() noexcept { return "1.31.1"; }
constexpr OrtApiBase kPatchedBase = {PatchedGetApi, PatchedVersion};

struct Replacement {
  const char* name;
  void (*install)();
};

#define CATS_REPLACE(function, parameters, arguments)                \
  Replacement {                                                      \
#function, [] {                                                    \
                patched.function = [] parameters noexcept -> OrtStatusPtr {      \
                  return Fails() ? Injected() : Runtime().api().function arguments; \
                };                                                               \
              } \
  }

const std::vector<Replacement>& Replacements() {
  static const std::vector<Replacement> all = {
      CATS_REPLACE(KernelInfo_GetNodeName, (const OrtKernelInfo* i, char* o, size_t* s), (i, o, s)),
      CATS_REPLACE(KernelInfoGetAllocator, (const OrtKernelInfo* i, OrtMemType t, OrtAllocator** o),
                   (i, t, o)),
      CATS_REPLACE(KernelContext_GetInputCount, (const OrtKernelContext* c, size_t* o), (c, o)),
      CATS_REPLACE(KernelContext_GetOutputCount, (const OrtKernelContext* c, size_t* o), (c, o)),
      CATS_REPLACE(KernelContext_GetInput, (const OrtKernelContext* c, size_t i, const OrtValue** o),
                   (c, i, o)),
      CATS_REPLACE(KernelContext_GetOutput,
                   (OrtKernelContext * c, size_t i, const int64_t* d, size_t n, OrtValue** o),
                   (c, i, d, n, o)),
      CATS_REPLACE(IsTensor, (const OrtValue* v, int* o), (v, o)),
      CATS_REPLACE(GetTensorElementTypeAndShapeDataReference,
                   (const OrtValue* v, ONNXTensorElementDataType* t, const int64_t** d, size_t* n),
                   (v, t, d, n)),
      CATS_REPLACE(GetTensorData, (const OrtValue* v, const void** o), (v, o)),
      CATS_REPLACE(GetTensorMutableData, (OrtValue * v, void** o), (v, o)),
      CATS_REPLACE(AllocatorAlloc, (OrtAllocator * a, size_t s, void** o), (a, s, o)),
      CATS_REPLACE(KernelContext_ParallelFor,
                   (const OrtKernelContext* c, void (*f)(void*, size_t), size_t t, size_t b, void* d),
                   (c, f, t, b, d)),
      CATS_REPLACE(ShapeInferContext_GetInputCount, (const OrtShapeInferContext* c, size_t* o), (c, o)),
      CATS_REPLACE(ShapeInferContext_GetInputTypeShape,
                   (const OrtShapeInferContext* c, size_t i, OrtTensorTypeAndShapeInfo** o), (c, i, o)),
      CATS_REPLACE(ShapeInferContext_SetOutputTypeShape,
                   (const OrtShapeInferContext* c, size_t i, const OrtTensorTypeAndShapeInfo* o), (c, i, o)),
      CATS_REPLACE(CreateTensorTypeAndShapeInfo, (OrtTensorTypeAndShapeInfo * *o), (o)),
  };
  return all;
}

// ONNX Runtime 1.31.1 does not release the status of a shape inference that failed (58 bytes, when the
// session is made): not counted as a leak of ours.
struct StatusesAreOnnxRuntimes {
#if defined(__SANITIZE_ADDRESS__)
  __lsan::ScopedDisabler disabler;
#endif
};

// Registers through the patched API, makes a session and runs it; "" or the error.
std::string MakeAndRun(const std::vector<HostTensor>& inputs) {
  return ErrorOf([&] {
    const OrtApi& api = Runtime().api();
    const Options options;
    Runtime().Check(Entry()(options.value, &kPatchedBase));
    Runtime().Check(api.SetIntraOpNumThreads(options.value, 1));
    Graph graph = MlpGraph(kFloat);
    graph.inputs[0] = {"X", kFloat, {"rows", "8"}};
    const std::string model = ModelBytes(graph);
    OrtSession* session = nullptr;
    Runtime().Check(
        api.CreateSessionFromArray(Runtime().env(), model.data(), model.size(), options.value, &session));
    const Session owner(Runtime(), session);
    owner.Run(inputs, {"Y", "active"});
  });
}

TEST(Failures, OfEveryApiFunctionAtEveryCallBecomeAStatusAndTheNextSessionWorks) {
  patched = Runtime().api();
  const MlpCase<F32> mlp(2, 8, 6, 8, true);
  const auto inputs = MlpInputs(mlp, {2});
  countdown = 1 << 30;
  ASSERT_EQ("", MakeAndRun(inputs));
  for (const Replacement& replacement : Replacements()) {
    patched = Runtime().api();
    replacement.install();
    countdown = 1 << 30;
    ASSERT_EQ("", MakeAndRun(inputs));
    const int calls = (1 << 30) - countdown;
    EXPECT_GT(calls, 0) << replacement.name;
    for (int call = 0; call < calls; ++call) {
      countdown = call;
      // ONNX Runtime goes on without inferred shapes; everything else must reach the caller.
      const bool hint = std::string(replacement.name).starts_with("ShapeInfer") ||
                        std::string(replacement.name).starts_with("Create");
      std::optional<StatusesAreOnnxRuntimes> scope;
      if (hint) scope.emplace();
      const std::string error = MakeAndRun(inputs);
      EXPECT_TRUE(error.find("injected failure") != std::string::npos || (hint && error.empty()))
          << replacement.name << " call " << call << ": " << error;
    }
    countdown = 1 << 30;
    EXPECT_EQ("", MakeAndRun(inputs)) << replacement.name;
  }
  patched = Runtime().api();
}

TEST(Failures, ATypeThatIsNotTheSchemasReachesNoKernel) {
  patched = Runtime().api();
  countdown = 1 << 30;
  const MlpCase<F32> mlp(2, 8, 6, 8, true);
  const auto inputs = MlpInputs(mlp, {2});
  patched.GetTensorElementTypeAndShapeDataReference = [](const OrtValue* v, ONNXTensorElementDataType* t,
                                                         const int64_t** d,
                                                         size_t* n) noexcept -> OrtStatusPtr {
    OrtStatus* status = Runtime().api().GetTensorElementTypeAndShapeDataReference(v, t, d, n);
    if (Fails()) *t = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    return status;
  };
  const char* names[] = {"X", "gate", "up", "down", "threshold"};
  for (int input = 0; input < 5; ++input) {
    countdown = input;
    const std::string error = MakeAndRun(inputs);
    EXPECT_NE(std::string::npos,
              error.find(std::string("input '") + names[input] + "' is of type int64; expected float"))
        << error;
  }
  patched = Runtime().api();
}

TEST(Failures, NullMemoryFromTheAllocatorIsOutOfMemory) {
  patched = Runtime().api();
  patched.AllocatorAlloc = [](OrtAllocator*, size_t, void** o) noexcept -> OrtStatusPtr {
    *o = nullptr;
    return nullptr;
  };
  const MlpCase<F32> mlp(2, 8, 6, 8, true);
  EXPECT_NE(std::string::npos, MakeAndRun(MlpInputs(mlp, {2})).find("out of memory"));
  patched = Runtime().api();
}

}  // namespace
}  // namespace cats::test
