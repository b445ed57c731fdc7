#!/usr/bin/env bash
# Builds, tests and measures the CUDA kernels on a machine with an NVIDIA GPU.
#   eng/gpu.sh build      the library with CUDA, the tests and the benchmarks, in artifacts/native/cuda
#   eng/gpu.sh test       all tests that need the GPU; none is skipped
#   eng/gpu.sh sanitize   memcheck and racecheck, each proved on a planted bug first
#   eng/gpu.sh bench-mlp  one MLP, dense and sparse: the kernels, and inside ONNX Runtime 1 to 2,048 rows
#   eng/gpu.sh bench-rows 2 to 32 rows of four shapes inside ONNX Runtime: where the dense path begins
# Needs nvcc and cmake. From the environment:
#   CATS_ORT_INCLUDE_DIR   folder of onnxruntime_c_api.h (else the restored NuGet package)
#   CATS_ORT_GPU_LIBRARY   libonnxruntime.so of the GPU natives, for test; CUDA's and cuDNN's libraries on LD_LIBRARY_PATH
#   CATS_CUDA_ARCHITECTURES  90a-real by default; the release's list is in CMakeLists.txt
#   CATS_RESULTS           folder that reports are written to (benchmarks/results/ and the GPU's name: h200)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${CATS_CUDA_BUILD:-artifacts/native/cuda}
gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | awk 'NR == 1 {print tolower($2)}' || true)
results=${CATS_RESULTS:-benchmarks/results/${gpu:-unknown}}

# The hash of the device code: a result holds for it and for no other.
code_hash() { LC_ALL=C; cat CustomOp/kernels/cuda/* CustomOp/formats/* CustomOp/kernels/{decision,silu}.h | sha256sum | cut -c1-16; }

report() {  # report NAME: what comes in goes to the screen and to the file, with what it was measured on
  mkdir -p "$results"
  { echo "device code $(code_hash), $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader)"; cat; } |
    tee "$results/$1"
}

build() {
  command -v nvcc >/dev/null || { echo "gpu.sh: nvcc is not on the PATH" >&2; exit 1; }
  local include=()
  [ -z "${CATS_ORT_INCLUDE_DIR:-}" ] || include=("-DCATS_ORT_INCLUDE_DIR=$CATS_ORT_INCLUDE_DIR")
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCATS_CUDA=ON -DCATS_TESTS=ON \
    -DCMAKE_CUDA_COMPILER="$(command -v nvcc)" \
    -DCMAKE_CUDA_ARCHITECTURES="${CATS_CUDA_ARCHITECTURES:-90a-real}" "${include[@]}"
  cmake --build "$build" -j"$(nproc)" --target cats_onnx ort_cuda_test cuda_rows_test launch_plan_test \
    cuda_planted_bugs cuda_sparse_row_check cuda_sparse_row_bench cuda_sparse_rows_bench cuda_ort_mlp_bench ort_cuda_dense_test
}

run_tests() {
  export CATS_REQUIRE_CUDA=1
  local failed=0
  for test in launch_plan_test cuda_rows_test ort_cuda_test ort_cuda_dense_test; do
    echo "== $test"
    timeout 240 "$build/tests/Native/$test" --gtest_brief=1 || failed=1
  done
  echo "== cuda_sparse_row_check"
  timeout 240 "$build/benchmarks/Native/cuda_sparse_row_check" || failed=1
  [ $failed = 0 ] && echo "all passed" || { echo "FAILED"; return 1; }
}

sanitize() {
  local sanitizer="timeout 300 compute-sanitizer --error-exitcode 99" failed=0
  for pair in memcheck:bounds racecheck:race; do
    echo "== ${pair%:*} on a planted bug"
    if $sanitizer --tool "${pair%:*}" "$build/tests/Native/cuda_planted_bugs" "${pair#*:}" >/tmp/planted 2>&1; then
      echo "${pair%:*} does not see the planted bug"; failed=1
    else
      grep "ERROR SUMMARY\|RACECHECK SUMMARY" /tmp/planted
    fi
  done
  local rows="$build/tests/Native/cuda_rows_test"
  echo "== memcheck: several rows"
  $sanitizer --tool memcheck "$rows" --gtest_brief=1 --gtest_filter='-*ThousandRuns*' | tail -4 || failed=1
  echo "== memcheck: one row"
  $sanitizer --tool memcheck "$build/benchmarks/Native/cuda_sparse_row_check" small | tail -4 || failed=1
  # racecheck knows __syncthreads and __syncwarp; kernels with bulk copies order their shared memory by mbarriers and flag
  # words, which it takes for hazards.
  echo "== racecheck: several rows, without bulk copies"
  $sanitizer --tool racecheck "$rows" --gtest_brief=1 --gtest_filter='*EveryRowEquals*InFloat*' | tail -4 || failed=1
  [ $failed = 0 ] && echo "all clean" || { echo "FAILED"; return 1; }
}

case "${1:-}" in
  build) build ;;
  test) run_tests 2>&1 | report tests.txt ;;
  sanitize) sanitize 2>&1 | report sanitize.txt ;;
  bench-mlp)
    bench="$build/benchmarks/Native"
    { "$bench/cuda_sparse_row_bench" full && "$bench/cuda_sparse_rows_bench" && "$bench/cuda_ort_mlp_bench"; } 2>&1 | report mlp.md ;;
  bench-rows) "$build/benchmarks/Native/cuda_ort_mlp_bench" crossover 2>&1 | report rows.md ;;
  *) sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//'; exit 2 ;;
esac
