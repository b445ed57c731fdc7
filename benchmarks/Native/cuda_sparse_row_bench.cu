// SPDX-License-Identifier: MIT
// Times the one-row CUDA kernel of SparseGatedMlp against the read ceiling and cuBLAS's dense MLP of the same
// run, and checks it against a double reference.
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "kernels/cuda/sparse_row.cuh"

#ifndef WARPS
#define WARPS 8
#define STAGES 2
#define GD 1
#define UD 1
#define DD 1
#endif
#ifndef ORDER
#define ORDER 1
#endif
#ifndef PDL
#define PDL 0
#endif
#ifndef COOP
#define COOP 1
#endif

using namespace cats;
using namespace cats::cuda;

#define CHECK(call)                                                                          \
  do {                                                                                       \
    const auto status_ = (call);                                                             \
    if (status_ != 0) {                                                                      \
      std::printf("%s:%d %s -> %d %s\n", __FILE__, __LINE__, #call, static_cast<int>(status_), \
                  cudaGetErrorString(cudaGetLastError()));                                   \
      std::exit(1);                                                                          \
    }                                                                                        \
  } while (0)

namespace {

constexpr int kCopies = 4;   // of the weights: together far more than L2
constexpr int kLaunches = 40;
constexpr int kReplays = 25;
cudaStream_t stream;

__device__ float Noise(uint64_t index, uint32_t seed) {  // about normal: sum of 4 uniform values
  float sum = 0;
  for (int k = 0; k < 4; ++k) {
    uint64_t z = (index * 4 + k + (static_cast<uint64_t>(seed) << 40)) * 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    sum += static_cast<float>((z ^ (z >> 31)) >> 40) * (1.0f / 16777216.0f) - 0.5f;
  }
  return sum * 1.7320508f;
}
template <class T>
__global__ void Fill(T* p, size_t size, uint32_t seed, float scale) {
  for (size_t i = blockIdx.x * static_cast<size_t>(blockDim.x) + threadIdx.x; i < size; i += static_cast<size_t>(gridDim.x) * blockDim.x) {
    p[i] = T::FromFloat(Noise(i, seed) * scale);
  }
}
template <class T>
__global__ void ReferenceDot(const T* x, const T* w, double* out, int hidden) {  // one warp a row
  double sum = 0;
  for (int k = threadIdx.x; k < hidden; k += 32) sum += static_cast<double>(T::ToFloat(x[k])) * T::ToFloat(w[static_cast<size_t>(blockIdx.x) * hidden + k]);
  for (int d = 16; d; d /= 2) sum += __shfl_xor_sync(~0u, sum, d);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}
template <class T>
__global__ void ReferenceDown(const double* h, const T* down, double* y, int intermediate, int hidden) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= hidden) return;
  double sum = 0;
  for (int i = 0; i < intermediate; ++i) {
    if (h[i] != 0) sum += h[i] * T::ToFloat(down[static_cast<size_t>(i) * hidden + c]);
  }
  y[c] = sum;
}
__global__ void Read(const uint4* p, size_t size, uint32_t* out) {
  uint32_t x = 0;
  const size_t step = static_cast<size_t>(gridDim.x) * blockDim.x;
  size_t i = blockIdx.x * static_cast<size_t>(blockDim.x) + threadIdx.x;
  for (; i + 7 * step < size; i += 8 * step) {
    uint4 v[8];
#pragma unroll
    for (int k = 0; k < 8; ++k) asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3},[%4];" : "=r"(v[k].x), "=r"(v[k].y), "=r"(v[k].z), "=r"(v[k].w) : "l"(p + i + k * step));
#pragma unroll
    for (int k = 0; k < 8; ++k) x ^= v[k].x ^ v[k].y ^ v[k].z ^ v[k].w;
  }
  for (; i < size; i += step) x ^= p[i].x;
  if (x == 0x12345678u) *out = x;
}
template <class T>
__global__ void Product(const T* g, const T* u, T* h, int size) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < size) h[i] = T::FromFloat(T::ToFloat(T::FromFloat(Silu(T::ToFloat(g[i])))) * T::ToFloat(u[i]));
}
__global__ void Nothing(int* p) {
  if (p != nullptr) *p = 1;
}
__global__ void Compare(const uint16_t* a, const uint16_t* b, int size, unsigned* different) {
  for (int i = threadIdx.x; i < size; i += blockDim.x) if (a[i] != b[i]) atomicAdd(different, 1u);
}

// Microseconds of one of the launches that body captures, least and median of the replays.
struct Time {
  double least, median;
};
Time TimeGraph(int launches, const std::function<void()>& body) {
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  body();
  CHECK(cudaStreamEndCapture(stream, &graph));
  CHECK(cudaGraphInstantiate(&exec, graph, 0));
  cudaEvent_t begin, end;
  CHECK(cudaEventCreate(&begin));
  CHECK(cudaEventCreate(&end));
  std::vector<double> times;
  for (int k = 0; k < kReplays + 3; ++k) {
    CHECK(cudaEventRecord(begin, stream));
    CHECK(cudaGraphLaunch(exec, stream));
    CHECK(cudaEventRecord(end, stream));
    CHECK(cudaStreamSynchronize(stream));
    float ms;
    CHECK(cudaEventElapsedTime(&ms, begin, end));
    if (k >= 3) times.push_back(ms * 1e3 / launches);
  }
  std::sort(times.begin(), times.end());
  CHECK(cudaGraphExecDestroy(exec));
  CHECK(cudaGraphDestroy(graph));
  return {times[0], times[times.size() / 2]};
}

template <class T, int Hidden, int Warps, int Stages, bool Traced>
void Launch(SparseRowArgs args, int blocks) {
  const auto kernel = SparseRow<T, Hidden, Warps, Stages, GD, UD, DD, ORDER, Traced>;
  const size_t shared = sizeof(SparseRowShared<T, Hidden, Warps, Stages>);
  static bool ready = false;
  if (!ready) {
    CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)));
    ready = true;
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3((Warps + 2) * 32);
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  cudaLaunchAttribute attributes[2];
  int count = 0;
  if (COOP) {
    attributes[count].id = cudaLaunchAttributeCooperative;
    attributes[count++].val.cooperative = 1;
  }
  if (PDL) {
    attributes[count].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[count++].val.programmaticStreamSerializationAllowed = 1;
  }
  config.attrs = attributes;
  config.numAttrs = count;
  CHECK(cudaLaunchKernelEx(&config, kernel, args));
}

template <class T, int Hidden, int Warps, int Stages>
void Shape(const char* name, int intermediate, const std::vector<double>& sparsities, double ceiling, bool full) {
  int blocks;
  CHECK(cudaDeviceGetAttribute(&blocks, cudaDevAttrMultiProcessorCount, 0));
  const size_t size = static_cast<size_t>(intermediate) * Hidden;
  std::vector<T*> weights(3 * kCopies);
  for (size_t k = 0; k < weights.size(); ++k) {
    CHECK(cudaMalloc(&weights[k], size * sizeof(T)));
    Fill<<<1024, 256, 0, stream>>>(weights[k], size, static_cast<uint32_t>(k + 1), static_cast<float>(1 / std::sqrt(Hidden)));
  }
  T *x, *y, *first_y;
  float* threshold;
  int32_t* active;
  uint32_t* exchange;
  unsigned* different;
  long long* trace;
  double *gate_dot, *up_dot, *h, *y_reference;
  const SparseRowExchange layout(blocks, intermediate, Hidden);
  CHECK(cudaMalloc(&x, Hidden * sizeof(T)));
  CHECK(cudaMalloc(&y, Hidden * sizeof(T)));
  CHECK(cudaMalloc(&first_y, Hidden * sizeof(T)));
  CHECK(cudaMalloc(&threshold, 4));
  CHECK(cudaMalloc(&active, 4));
  CHECK(cudaMalloc(&different, 4));
  CHECK(cudaMalloc(&exchange, layout.words * 4));
  CHECK(cudaMemset(exchange, 0xff, layout.words * 4));
  CHECK(cudaMalloc(&trace, blocks * kTraceWords * 8));
  CHECK(cudaMalloc(&gate_dot, intermediate * 8));
  CHECK(cudaMalloc(&up_dot, intermediate * 8));
  CHECK(cudaMalloc(&h, intermediate * 8));
  CHECK(cudaMalloc(&y_reference, Hidden * 8));
  Fill<<<16, 256, 0, stream>>>(x, Hidden, 99, 1.0f);
  ReferenceDot<<<intermediate, 32, 0, stream>>>(x, weights[0], gate_dot, Hidden);
  ReferenceDot<<<intermediate, 32, 0, stream>>>(x, weights[1], up_dot, Hidden);
  CHECK(cudaStreamSynchronize(stream));
  std::vector<double> g(intermediate), u(intermediate), h_host(intermediate), y_host(Hidden);
  CHECK(cudaMemcpy(g.data(), gate_dot, intermediate * 8, cudaMemcpyDeviceToHost));
  CHECK(cudaMemcpy(u.data(), up_dot, intermediate * 8, cudaMemcpyDeviceToHost));
  std::vector<float> a(intermediate), sorted(intermediate);
  for (int i = 0; i < intermediate; ++i) {
    a[i] = T::ToFloat(T::FromFloat(Silu(T::ToFloat(T::FromFloat(static_cast<float>(g[i]))))));
    sorted[i] = std::fabs(a[i]);
  }
  std::sort(sorted.begin(), sorted.end());

  SparseRowArgs args = {};
  args.x = x;
  args.threshold = threshold;
  args.y = y;
  args.active = active;
  args.exchange = exchange;
  args.intermediate = intermediate;
  args.share = intermediate / blocks;
  args.extra = intermediate % blocks;
  args.trace = trace;
  const auto weigh = [&](int k) {
    args.gate = weights[k * 3];
    args.up = weights[k * 3 + 1];
    args.down = weights[k * 3 + 2];
  };
  for (double sparsity : sparsities) {
    const float t = sparsity == 0 ? 0.0f : sparsity > 1 ? 1e30f : sorted[static_cast<size_t>(sparsity * (intermediate - 1))];
    CHECK(cudaMemcpy(threshold, &t, 4, cudaMemcpyHostToDevice));
    // Check.
    int kept = 0;
    for (int i = 0; i < intermediate; ++i) {
      const bool keep = std::fabs(a[i]) >= t;
      kept += keep;
      h_host[i] = keep ? a[i] * u[i] : 0;
    }
    CHECK(cudaMemcpy(h, h_host.data(), intermediate * 8, cudaMemcpyHostToDevice));
    ReferenceDown<<<(Hidden + 127) / 128, 128, 0, stream>>>(h, weights[2], y_reference, intermediate, Hidden);
    CHECK(cudaMemsetAsync(y, 0xff, Hidden * sizeof(T), stream));
    weigh(0);
    Launch<T, Hidden, Warps, Stages, false>(args, blocks);
    CHECK(cudaStreamSynchronize(stream));
    std::vector<T> got(Hidden);
    int32_t counted;
    CHECK(cudaMemcpy(got.data(), y, Hidden * sizeof(T), cudaMemcpyDeviceToHost));
    CHECK(cudaMemcpy(y_host.data(), y_reference, Hidden * 8, cudaMemcpyDeviceToHost));
    CHECK(cudaMemcpy(&counted, active, 4, cudaMemcpyDeviceToHost));
    double error = 0, largest = 0;
    for (int c = 0; c < Hidden; ++c) {
      const double e = std::fabs(T::ToFloat(got[c]) - y_host[c]);
      error = e <= error ? error : e;  // NaN shows
      largest = std::max(largest, std::fabs(y_host[c]));
    }
    const Time time = TimeGraph(kLaunches, [&] {
      for (int k = 0; k < kLaunches; ++k) {
        weigh(k % kCopies);
        Launch<T, Hidden, Warps, Stages, false>(args, blocks);
      }
    });
    const double bytes = (static_cast<double>(intermediate) + 2.0 * counted) * Hidden * sizeof(T);
    const bool wrong = counted != kept || !(error <= 2e-3 * largest);
    if (sparsity == sparsities[0]) std::printf("%-10s W%d S%d depth%d%d%d order%d coop%d pdl%d ", name, Warps, Stages, GD, UD, DD, ORDER, COOP, PDL);
    std::printf("|%s %3.0f%% %6.2f (%6.2f) +%.1f ", wrong ? " WRONG" : "", sparsity * 100, time.least, time.median, time.least - bytes / ceiling * 1e-6);
    if (wrong) std::printf("[%d of %d kept, error %.1e] ", counted, kept, error / largest);
    if (sparsity == sparsities.back() || full) std::printf("\n");
    if (full) {
      // Where the time goes: clocks of the blocks since their start, in a launch after others.
      for (int k = 0; k < 4; ++k) {
        weigh(k);
        Launch<T, Hidden, Warps, Stages, true>(args, blocks);
      }
      CHECK(cudaStreamSynchronize(stream));
      std::vector<long long> clocks(blocks * kTraceWords);
      CHECK(cudaMemcpy(clocks.data(), trace, clocks.size() * 8, cudaMemcpyDeviceToHost));
      const char* names[] = {"", "first row", "gates decided", "ups issued", "masks here", "down planned", "h here", "down done", "sent", "end", "", "", "gates issued"};
      const int order[] = {1, 12, 2, 4, 5, 3, 6, 7, 8, 9};
      for (int k : order) {
        std::vector<double> v;
        for (int b = 0; b < blocks; ++b) v.push_back((clocks[b * kTraceWords + k] - clocks[b * kTraceWords]) / 1.98e3);
        auto w = v;
        std::sort(w.begin(), w.end());
        std::printf("    %-14s %5.1f %5.1f %5.1f %5.1f %5.1f us (least, 10%%, median, 90%%, most)\n", names[k], w[0], w[blocks / 10], w[blocks / 2], w[blocks * 9 / 10], w[blocks - 1]);
      }
      long long earliest = clocks[11], latest = clocks[11];
      for (int b = 0; b < blocks; ++b) earliest = std::min(earliest, clocks[b * kTraceWords + 11]), latest = std::max(latest, clocks[b * kTraceWords + 11]);
      if (sparsity == .5) {
        for (int b = 0; b < blocks; ++b) {
          const long long* c = &clocks[b * kTraceWords];
          int mine = 0;
          const int share = intermediate / blocks, extra = intermediate % blocks;
          for (int i = b * share + std::min(b, extra), k = 0; k < share + (b < extra); ++k) mine += std::fabs(a[i + k]) >= t;
          std::printf("      block %3d sm %3lld kept %2d gates %.1f masks %.1f ups %.1f h %.1f done %.1f\n", b, c[10], mine, (c[2] - c[0]) / 1.98e3, (c[4] - c[0]) / 1.98e3,
                      (c[3] - c[0]) / 1.98e3, (c[6] - c[0]) / 1.98e3, (c[7] - c[0]) / 1.98e3);
        }
      }
      long long finish = 0;
      for (int b = 0; b < blocks; ++b) finish = std::max(finish, clocks[b * kTraceWords + 13]);
      std::printf("    starts within %lld ns, first start to last end %.2f us, %.2f clocks/ns\n", latest - earliest, (finish - earliest) * 1e-3,
                  static_cast<double>(clocks[9] - clocks[0]) / (clocks[13] - clocks[11]));
    }
    std::fflush(stdout);
  }
  if (full) {
    const float t = sorted[intermediate / 2];
    CHECK(cudaMemcpy(threshold, &t, 4, cudaMemcpyHostToDevice));
    CHECK(cudaMemset(different, 0, 4));
    weigh(0);
    Launch<T, Hidden, Warps, Stages, false>(args, blocks);
    CHECK(cudaMemcpyAsync(first_y, y, Hidden * sizeof(T), cudaMemcpyDeviceToDevice, stream));
    for (int k = 0; k < 1000; ++k) {
      CHECK(cudaMemsetAsync(y, 0xff, Hidden * sizeof(T), stream));
      Launch<T, Hidden, Warps, Stages, false>(args, blocks);
      Compare<<<1, 1024, 0, stream>>>(reinterpret_cast<uint16_t*>(y), reinterpret_cast<uint16_t*>(first_y), Hidden * sizeof(T) / 2, different);
    }
    unsigned n;
    CHECK(cudaStreamSynchronize(stream));
    CHECK(cudaMemcpy(&n, different, 4, cudaMemcpyDeviceToHost));
    std::printf("%-10s 1000 runs, halfwords that differ from the first: %u\n", name, n);
    std::vector<uint32_t> words(layout.words);
    CHECK(cudaMemcpy(words.data(), exchange, layout.words * 4, cudaMemcpyDeviceToHost));
    size_t left = 0;
    for (uint32_t w : words) left += w != kEmpty;
    std::printf("%-10s words left in the exchange area: %zu\n", name, left);
  }
  for (T* p : weights) CHECK(cudaFree(p));
  for (void* p : {static_cast<void*>(x), static_cast<void*>(y), static_cast<void*>(first_y), static_cast<void*>(threshold), static_cast<void*>(active), static_cast<void*>(different),
                  static_cast<void*>(exchange), static_cast<void*>(trace), static_cast<void*>(gate_dot), static_cast<void*>(up_dot), static_cast<void*>(h), static_cast<void*>(y_reference)}) CHECK(cudaFree(p));
}

double Ceiling() {
  const size_t bytes = size_t{4} << 30;
  uint4* p;
  uint32_t* out;
  CHECK(cudaMalloc(&p, bytes));
  CHECK(cudaMalloc(&out, 4));
  Fill<<<1024, 256, 0, stream>>>(reinterpret_cast<F16*>(p), bytes / 2, 7, 1.0f);
  double best = 0;
  for (int blocks : {132 * 2, 132 * 4, 132 * 8, 132 * 16}) {
    for (int threads : {256, 512}) {
      const Time t = TimeGraph(2, [&] {
        for (int k = 0; k < 2; ++k) Read<<<blocks, threads, 0, stream>>>(p, bytes / 16, out);
      });
      best = std::max(best, bytes / t.least * 1e-6);
    }
  }
  CHECK(cudaFree(p));
  CHECK(cudaFree(out));
  return best;
}

// cuBLAS: three products and silu(gate) * up, down as [hidden, intermediate] (its faster way) or neuron-major.
void Dense(const char* name, int hidden, int intermediate) {
  cublasHandle_t handle;
  CHECK(cublasCreate(&handle));
  void* workspace;
  CHECK(cudaMalloc(&workspace, size_t{64} << 20));
  CHECK(cublasSetWorkspace(handle, workspace, size_t{64} << 20));
  CHECK(cublasSetStream(handle, stream));
  const size_t size = static_cast<size_t>(intermediate) * hidden;
  std::vector<F16*> w(3 * kCopies);
  for (size_t k = 0; k < w.size(); ++k) {
    CHECK(cudaMalloc(&w[k], size * 2));
    Fill<<<1024, 256, 0, stream>>>(w[k], size, static_cast<uint32_t>(k + 1), 0.0156f);
  }
  F16 *x, *g, *u, *y;
  CHECK(cudaMalloc(&x, hidden * 2));
  CHECK(cudaMalloc(&g, intermediate * 2));
  CHECK(cudaMalloc(&u, intermediate * 2));
  CHECK(cudaMalloc(&y, hidden * 2));
  Fill<<<16, 256, 0, stream>>>(x, hidden, 99, 1.0f);
  const float one = 1, zero = 0;
  const auto product = [&](cublasOperation_t op, const F16* a, int lda, const F16* b, F16* c, int m, int k) {
    CHECK(cublasGemmEx(handle, op, CUBLAS_OP_N, m, 1, k, &one, a, CUDA_R_16F, lda, b, CUDA_R_16F, k, &zero, c, CUDA_R_16F, m, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  };
  for (bool neuron_major : {false, true}) {
    const auto body = [&] {
      for (int k = 0; k < kLaunches; ++k) {
        F16** v = &w[3 * (k % kCopies)];
        product(CUBLAS_OP_T, v[0], hidden, x, g, intermediate, hidden);
        product(CUBLAS_OP_T, v[1], hidden, x, u, intermediate, hidden);
        Product<<<(intermediate + 255) / 256, 256, 0, stream>>>(g, u, g, intermediate);
        if (neuron_major) product(CUBLAS_OP_N, v[2], hidden, g, y, hidden, intermediate);
        else product(CUBLAS_OP_T, v[2], intermediate, g, y, hidden, intermediate);
      }
    };
    body();
    CHECK(cudaStreamSynchronize(stream));
    const Time t = TimeGraph(kLaunches, body);
    std::printf("%-10s cuBLAS dense, down %s: %.2f us (median %.2f), %.2f TB/s\n", name, neuron_major ? "[I, H]" : "[H, I]", t.least, t.median, size * 6.0 / t.least * 1e-6);
  }
  for (F16* p : w) CHECK(cudaFree(p));
  CHECK(cudaFree(x));
  CHECK(cudaFree(g));
  CHECK(cudaFree(u));
  CHECK(cudaFree(y));
  CHECK(cudaFree(workspace));
  CHECK(cublasDestroy(handle));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "all";
  CHECK(cudaStreamCreate(&stream));
  double ceiling = 4.40;
  if (what == "all" || what == "base") {
    ceiling = Ceiling();
    std::printf("read ceiling %.3f TB/s\n", ceiling);
    for (bool coop : {false, true}) {
      const Time t = TimeGraph(200, [&] {
        for (int k = 0; k < 200; ++k) {
          int* p = nullptr;
          void* a[] = {&p};
          if (coop) CHECK(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(Nothing), 132, 288, a, 0, stream));
          else CHECK(cudaLaunchKernel(reinterpret_cast<void*>(Nothing), 132, 288, a, 0, stream));
        }
      });
      std::printf("empty kernel, cooperative %d: %.2f us\n", coop, t.least);
    }
    Dense("llama2-7b", 4096, 11008);
    Dense("mistral-7b", 4096, 14336);
    Dense("llama2-13b", 5120, 13824);
  }
  if (what == "base") return 0;
  const bool trace = argc > 2;
  Shape<F16, 4096, WARPS, STAGES>("llama2-7b", 11008, {0, .5, .7, .9, 2}, ceiling, trace);
  Shape<F16, 4096, WARPS, STAGES>("mistral-7b", 14336, {0, .5, .7, .9}, ceiling, false);
#if !defined(NO13B)
  Shape<F16, 5120, WARPS, STAGES>("llama2-13b", 13824, {0, .5, .7, .9}, ceiling, false);
#endif
  return 0;
}
