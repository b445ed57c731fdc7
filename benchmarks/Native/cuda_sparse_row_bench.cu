// SPDX-License-Identifier: MIT
// Times one row of SparseGatedMlp on the GPU against the read ceiling and cuBLAS's dense MLP of the same run.
// Random activations, thresholded at their quantile; the weights take turns in four copies, so that L2 holds
// none. Arguments: fast | full (also bf16, fp32 and TinyLlama), then, for other choices than the plan's: KB
// of rows that a block asks for early, the share of its gate rows before that, 1 if up rows too.
#include <cublas_v2.h>

#include <cstring>
#include <type_traits>

#include "cuda_bench.cuh"
#include "kernels/cuda/skip_rms_norm.h"
#include "kernels/cuda/sparse_row.h"

using namespace cats;
using namespace cats::bench;
using namespace cats::cuda;

namespace {

constexpr int kCopies = 4;
constexpr int kLaunches = 40;
int prefetch_kilobytes = -1;  // -1: as planned
double prefetch_first = 0;
int prefetch_up = 0;

template <class T>
__global__ void Product(const T* g, const T* u, T* h, int size) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < size) h[i] = T::FromFloat(T::ToFloat(T::FromFloat(Silu(T::ToFloat(g[i])))) * T::ToFloat(u[i]));
}

__global__ void Nothing(int* p) {
  if (p != nullptr) *p = 1;
}

template <class T>
struct Weights {
  std::vector<T*> of;  // gate, up, down of each copy: [intermediate, hidden]
  Weights(int64_t hidden, int64_t intermediate) : of(3 * kCopies) {
    for (size_t k = 0; k < of.size(); ++k) {
      CHECK(cudaMalloc(&of[k], hidden * intermediate * sizeof(T)));
      Fill(of[k], hidden * intermediate, k + 1, 1 / std::sqrt(static_cast<double>(hidden)));
    }
  }
  ~Weights() {
    for (T* p : of) CHECK(cudaFree(p));
  }
};

template <class T>
constexpr cudaDataType_t kCublasType = std::is_same_v<T, F32>   ? CUDA_R_32F
                                       : std::is_same_v<T, F16> ? CUDA_R_16F
                                                                : CUDA_R_16BF;

// cuBLAS: gate, up, silu(gate) * up, down; the better of the two layouts of down.
template <class T>
double Dense(const Weights<T>& weights, const T* x, int hidden, int intermediate) {
  cublasHandle_t handle;
  const size_t workspace_bytes = size_t{64} << 20;
  DeviceArray<char> workspace(workspace_bytes);
  DeviceArray<T> g(intermediate), u(intermediate), y(hidden);
  CHECK(cublasCreate(&handle));
  CHECK(cublasSetWorkspace(handle, workspace.data, workspace_bytes));
  CHECK(cublasSetStream(handle, stream));
  const float one = 1, zero = 0;
  const auto product = [&](cublasOperation_t op, const T* a, int lda, const T* b, T* c, int m, int k) {
    CHECK(cublasGemmEx(handle, op, CUBLAS_OP_N, m, 1, k, &one, a, kCublasType<T>, lda, b, kCublasType<T>, k,
                       &zero, c, kCublasType<T>, m, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  };
  double best = 1e9;
  for (bool neuron_major : {false, true}) {
    const auto body = [&] {
      for (int k = 0; k < kLaunches; ++k) {
        T* const* w = &weights.of[3 * (k % kCopies)];
        product(CUBLAS_OP_T, w[0], hidden, x, g.data, intermediate, hidden);
        product(CUBLAS_OP_T, w[1], hidden, x, u.data, intermediate, hidden);
        Product<<<(intermediate + 255) / 256, 256, 0, stream>>>(g.data, u.data, g.data, intermediate);
        if (neuron_major) {
          product(CUBLAS_OP_N, w[2], hidden, g.data, y.data, hidden, intermediate);
        } else {
          product(CUBLAS_OP_T, w[2], intermediate, g.data, y.data, hidden, intermediate);
        }
      }
    };
    body();
    CHECK(cudaStreamSynchronize(stream));
    best = std::min(best, TimeGraph(kLaunches, body).least);
  }
  CHECK(cublasDestroy(handle));
  return best;
}

template <class T>
void Shape(const char* name, DType dtype, int hidden, int intermediate, double ceiling) {
  const Weights<T> weights(hidden, intermediate);
  DeviceArray<T> x(hidden), y(hidden);
  DeviceArray<T> skip(hidden), norm_weight(hidden), sum(hidden), normed(hidden);
  DeviceArray<float> threshold(1), epsilon(1);
  DeviceArray<int32_t> active(1);
  Fill(x.data, hidden, 99, 1.0);
  Fill(skip.data, hidden, 98, 1.0);
  Fill(norm_weight.data, hidden, 97, 1.0);
  const float small = 1e-5f;
  CHECK(cudaMemcpy(epsilon.data, &small, 4, cudaMemcpyHostToDevice));
  std::vector<float> sorted;
  for (double g : Dots(x.data, weights.of[0], hidden, intermediate))
    sorted.push_back(std::fabs(Round<T>(Silu(Round<T>(g)))));
  std::sort(sorted.begin(), sorted.end());
  const double dense = Dense(weights, x.data, hidden, intermediate);

  DeviceLimits limits;
  CHECK(ReadDeviceLimits(0, &limits));
  SparseRowPlan plan = PlanSparseRow(limits, dtype, hidden, intermediate, true);
  if (prefetch_kilobytes >= 0) {
    plan.prefetch_rows = prefetch_kilobytes * 1024 / (hidden * static_cast<int>(sizeof(T)));
    plan.prefetch_first = static_cast<int>(prefetch_first * (intermediate / limits.multiprocessors));
    plan.prefetch_up = prefetch_up;
  }
  CHECK(LoadSparseRow(plan, dtype, hidden));
  CHECK(LoadSkipRmsNorm(dtype));
  const SkipRmsNormArgs norm = {1,        hidden,     1, x.data, skip.data, norm_weight.data, epsilon.data,
                                sum.data, normed.data};
  DeviceArray<uint32_t> scratch(plan.scratch_bytes / 4);
  CHECK(PrepareScratch(plan, scratch.data, stream));
  SparseRowArgs args = {};
  args.x = x.data;
  args.threshold = threshold.data;
  args.y = y.data;
  args.active = active.data;
  args.exchange = scratch.data;
  args.hidden = hidden;
  args.intermediate = intermediate;
  for (double sparsity : {0.0, 0.5, 0.7, 0.9}) {
    const float t = sparsity == 0 ? 0.0f : sorted[static_cast<size_t>(sparsity * (intermediate - 1))];
    CHECK(cudaMemcpy(threshold.data, &t, 4, cudaMemcpyHostToDevice));
    // Launches by themselves; each overlapping with the one before; each after the filling of its exchange
    // area, as ONNX Runtime makes them; and the filling as a memset. Then with the norm of x + skip, by its
    // own kernel and in the fused one (both keep the neurons of another x than the columns before).
    Time time[6];
    int kept = 0;
    for (int way = 0; way < 6; ++way) {
      time[way] = TimeGraph(kLaunches, [&] {
        for (int k = 0; k < kLaunches; ++k) {
          if (way == 4) CHECK(LaunchSkipRmsNorm(dtype, norm, stream));
          if (way == 2 || way > 3) CHECK(PrepareScratch(plan, scratch.data, stream));
          if (way == 3) CHECK(cudaMemsetAsync(scratch.data, 0xff, plan.scratch_bytes, stream));
          args.gate = weights.of[k % kCopies * 3];
          args.up = weights.of[k % kCopies * 3 + 1];
          args.down = weights.of[k % kCopies * 3 + 2];
          args.x = way == 4 ? normed.data : x.data;
          if (way == 5) {
            args.skip = skip.data, args.norm_weight = norm_weight.data;
            args.norm_epsilon = epsilon.data, args.sum = sum.data;
          } else {
            args.skip = nullptr;
          }
          CHECK(LaunchSparseRow(plan, dtype, args, way != 0 && way != 3, stream));
        }
      });
      if (way == 3) kept = active.Host()[0];
    }
    // The four copies keep about the same number; the last launch's is counted.
    const double bytes = (intermediate + 2.0 * kept) * hidden * sizeof(T);
    const double floor = bytes / ceiling * 1e-6;
    std::printf("| %s | %.0f%% | %.1f | %.1f (%.1f) | %.1f | %.1f | %.1f | %.1f | %.1f | %.0f%% | ", name,
                sparsity * 100, floor, time[0].least, time[0].median, time[1].least, time[2].least,
                time[3].least, time[4].least, time[5].least, 100 * floor / time[0].least);
    std::printf("%.1f | x%.2f |\n", dense, dense / time[0].least);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool full = argc > 1 && std::strcmp(argv[1], "full") == 0;
  if (argc > 2) prefetch_kilobytes = std::atoi(argv[2]);
  if (argc > 3) prefetch_first = std::atof(argv[3]);
  if (argc > 4) prefetch_up = std::atoi(argv[4]);
  CHECK(cudaStreamCreate(&stream));
  cudaDeviceProp device;
  int driver, runtime;
  CHECK(cudaGetDeviceProperties(&device, 0));
  CHECK(cudaDriverGetVersion(&driver));
  CHECK(cudaRuntimeGetVersion(&runtime));
  const double ceiling = Ceiling();
  std::printf("%s, %d multiprocessors, driver for CUDA %d.%d, runtime %d.%d, read ceiling %.2f TB/s\n",
              device.name, device.multiProcessorCount, driver / 1000, driver % 1000 / 10, runtime / 1000,
              runtime % 1000 / 10, ceiling);
  for (bool cooperative : {false, true}) {
    const Time t = TimeGraph(200, [&] {
      int* p = nullptr;
      void* a[] = {&p};
      for (int k = 0; k < 200; ++k) {
        CHECK(cooperative
                  ? cudaLaunchCooperativeKernel(reinterpret_cast<void*>(Nothing), 132, 320, a, 0, stream)
                  : cudaLaunchKernel(reinterpret_cast<void*>(Nothing), 132, 320, a, 0, stream));
      }
    });
    std::printf("an empty %skernel in a graph: %.2f us\n", cooperative ? "cooperative " : "", t.least);
  }
  std::printf(
      "| shape | sparsity | bytes / ceiling (us) | least (median) us | with overlap | filled first | memset "
      "first | filled, norm before | filled, norm inside | share of the "
      "ceiling | "
      "cuBLAS dense us | over dense |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  Shape<F16>("Llama-2-7B fp16", DType::kF16, 4096, 11008, ceiling);
  Shape<F16>("Mistral-7B fp16", DType::kF16, 4096, 14336, ceiling);
  Shape<F16>("Llama-2-13B fp16", DType::kF16, 5120, 13824, ceiling);
  if (full) {
    Shape<BF16>("Llama-2-7B bf16", DType::kBF16, 4096, 11008, ceiling);
    Shape<F32>("Llama-2-7B fp32", DType::kF32, 4096, 11008, ceiling);
    Shape<F16>("TinyLlama-1.1B fp16", DType::kF16, 2048, 5632, ceiling);
  }
  return 0;
}
