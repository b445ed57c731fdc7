// SPDX-License-Identifier: MIT
// The entry point that ONNX Runtime calls: the list of ops, version negotiation, one domain per runtime.
#include <onnxruntime_c_api.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cats_onnx.h"
#include "ort/custom_op_adapter.h"
#include "ort/op_list.h"

namespace cats {
namespace {

constexpr const OpDefinition* kOps[] = {
    &kSparseGatedMlp,
    &kSkipRmsNormSparseGatedMlp,
    &kCatsThreshold,
    &kGateObserver,
};

// Marks session options that have our domain: ONNX Runtime itself takes a domain twice and then fails
// when the session is made, far from the mistake.
constexpr const char* kRegisteredKey = "ai.cats.registered";

// The minor version of "1.31.1"; 0 where the text is something else (a runtime of version 2 counts as newer).
uint32_t MinorOf(const char* version) noexcept {
  if (version == nullptr) return 0;
  char* end = nullptr;
  const unsigned long major = std::strtoul(version, &end, 10);
  if (end == version || *end != '.') return 0;
  if (major > 1) return UINT32_MAX;
  const unsigned long minor = std::strtoul(end + 1, nullptr, 10);
  return major == 1 && minor < 10000 ? static_cast<uint32_t>(minor) : 0;
}

// Everything that one ONNX Runtime in this process needs; made once, never freed: sessions may outlive
// whoever registered, and a library that is loaded twice must find its domain again.
struct Runtime {
  const OrtApi* api;
  OrtCustomOpDomain* domain;
  std::vector<std::unique_ptr<CustomOp>> ops;
};

OrtStatus* MakeRuntime(const OrtApi* api, Runtime* runtime) {
  runtime->api = api;
  if (OrtStatus* status = api->CreateCustomOpDomain(kDomain, &runtime->domain)) return status;
  for (const OpDefinition* op : kOps) {
    for (const OpKernel& kernel : op->kernels) {
      for (const char* provider : ExecutionProvidersOf(kernel.device)) {
        runtime->ops.push_back(std::make_unique<CustomOp>(MakeCustomOp(api, *op, kernel, provider)));
        if (OrtStatus* status = api->CustomOpDomain_Add(runtime->domain, runtime->ops.back().get()))
          return status;
      }
    }
  }
  return nullptr;
}

OrtStatus* RuntimeOf(const OrtApiBase* base, const OrtApi* api, Runtime** runtime) {
  static auto& mutex = *new std::mutex;
  static auto& runtimes = *new std::map<const OrtApiBase*, std::unique_ptr<Runtime>>;
  const std::lock_guard<std::mutex> lock(mutex);
  auto& slot = runtimes[base];
  if (slot == nullptr) {
    auto made = std::make_unique<Runtime>();
    if (OrtStatus* status = MakeRuntime(api, made.get())) {
      if (made->domain != nullptr) api->ReleaseCustomOpDomain(made->domain);
      return status;
    }
    slot = std::move(made);
  }
  *runtime = slot.get();
  return nullptr;
}

OrtStatus* Register(OrtSessionOptions* options, const OrtApiBase* base) {
  const char* version = base->GetVersionString();
  const uint32_t minor = MinorOf(version);
  if (minor < kFloorApiVersion) {
    // Version 1 of the API is in every runtime and can make a status.
    const OrtApi* oldest = base->GetApi(1);
    if (oldest == nullptr) return nullptr;
    const std::string message = std::string("libcats_onnx ") + CatsVersion() + " needs ONNX Runtime 1." +
                                std::to_string(kFloorApiVersion) + " or newer; this is ONNX Runtime " +
                                (version == nullptr ? "of an unknown version" : version);
    return StatusOf(oldest, ORT_FAIL, message.c_str());
  }
  const OrtApi* api = base->GetApi(minor < ORT_API_VERSION ? minor : ORT_API_VERSION);
  if (api == nullptr) {
    const OrtApi* oldest = base->GetApi(1);
    return oldest == nullptr ? nullptr
                             : StatusOf(oldest, ORT_FAIL, "ONNX Runtime has no API of its own version");
  }
  if (options == nullptr)
    return StatusOf(api, ORT_INVALID_ARGUMENT, "RegisterCustomOps: the session options are null");

  int registered = 0;
  if (OrtStatus* status = api->HasSessionConfigEntry(options, kRegisteredKey, &registered)) return status;
  if (registered != 0) {
    return StatusOf(api, ORT_INVALID_ARGUMENT,
                    "libcats_onnx is already registered with these session options; register it once");
  }
  Runtime* runtime = nullptr;
  if (OrtStatus* status = RuntimeOf(base, api, &runtime)) return status;
  if (OrtStatus* status = api->AddCustomOpDomain(options, runtime->domain)) return status;
  return api->AddSessionConfigEntry(options, kRegisteredKey, CatsVersion());
}

OrtStatus* RegisterNoexcept(OrtSessionOptions* options, const OrtApiBase* base) noexcept {
  if (base == nullptr) return nullptr;  // nothing to make a status with
  try {
    return Register(options, base);
  } catch (...) {
    const OrtApi* oldest = base->GetApi(1);
    return oldest == nullptr ? nullptr
                             : StatusOf(oldest, ORT_RUNTIME_EXCEPTION, "RegisterCustomOps: out of memory");
  }
}

}  // namespace

std::span<const OpDefinition* const> Ops() noexcept { return kOps; }

}  // namespace cats

extern "C" {
CATS_EXPORT OrtStatus* ORT_API_CALL RegisterCustomOps(OrtSessionOptions* options,
                                                      const OrtApiBase* base) noexcept {
  return cats::RegisterNoexcept(options, base);
}
// The same under a name of its own, for programs that link several custom-op libraries statically.
CATS_EXPORT OrtStatus* ORT_API_CALL RegisterCatsCustomOps(OrtSessionOptions* options,
                                                          const OrtApiBase* base) noexcept {
  return cats::RegisterNoexcept(options, base);
}
}
