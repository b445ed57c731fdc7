#!/usr/bin/env bash
# Builds, tests and measures the CUDA kernels on a machine with an NVIDIA GPU.
#   eng/gpu.sh build      the library with CUDA, the tests and the benchmarks, in artifacts/native/cuda
#   eng/gpu.sh test       all tests that need the GPU; none is skipped
#   eng/gpu.sh sanitize   memcheck and racecheck, each proved on a planted bug first
#   eng/gpu.sh bench-mlp  one MLP, dense and sparse: the kernels, and inside ONNX Runtime 1 to 2,048 rows
#   eng/gpu.sh bench-rows 2 to 32 rows of four shapes inside ONNX Runtime: where the dense path begins
#   eng/gpu.sh bench-model  whole models with random weights through the tool: tokens, prefill, rewriting
#   eng/gpu.sh pack FOLDER  on a machine with .NET: what the above need on one without it, as archives
# Needs nvcc and cmake. From the environment:
#   CATS_ORT_INCLUDE_DIR   folder of onnxruntime_c_api.h (else the restored NuGet package)
#   CATS_ORT_GPU_LIBRARY   libonnxruntime.so of the GPU natives, for test; CUDA's and cuDNN's libraries on LD_LIBRARY_PATH
#   CATS_CUDA_ARCHITECTURES  90a-real by default; the release's list is in CMakeLists.txt
#   CATS_GPU_APP           folder with the published tool and tests (app.tar.xz of pack), for test and bench-model
#   CATS_RESULTS           folder that reports are written to (benchmarks/results/ and the GPU's name: h200)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${CATS_CUDA_BUILD:-artifacts/native/cuda}
gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | awk 'NR == 1 {print tolower($2)}' || true)
results=${CATS_RESULTS:-benchmarks/results/${gpu:-unknown}}

report() {  # report NAME: what comes in goes to the screen and to the file, with what it was measured on
  mkdir -p "$results"
  { echo "device code $(eng/code_hash.sh), $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader)"; cat; } |
    tee "$results/$1"
}

build() {
  command -v nvcc >/dev/null || { echo "gpu.sh: nvcc is not on the PATH" >&2; exit 1; }
  local include=()
  [ -z "${CATS_ORT_INCLUDE_DIR:-}" ] || include=("-DCATS_ORT_INCLUDE_DIR=$CATS_ORT_INCLUDE_DIR")
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCATS_CUDA=ON -DCATS_TESTS=ON \
    -DCMAKE_CUDA_COMPILER="$(command -v nvcc)" \
    -DCMAKE_CUDA_ARCHITECTURES="${CATS_CUDA_ARCHITECTURES:-90a-real}" "${include[@]}"
  cmake --build "$build" -j"$(nproc)" --target cats_onnx ort_cuda_test ort_cuda_dense_test cuda_rows_test cuda_greedy_test \
    cuda_skip_rms_norm_test cuda_two_rows_test launch_plan_test cuda_planted_bugs cuda_sparse_row_check cuda_sparse_row_bench cuda_sparse_rows_bench cuda_ort_mlp_bench
}

run_tests() {
  export CATS_REQUIRE_CUDA=1
  local failed=0
  for test in launch_plan_test cuda_rows_test cuda_skip_rms_norm_test cuda_two_rows_test cuda_greedy_test ort_cuda_test ort_cuda_dense_test; do
    echo "== $test"
    timeout 240 "$build/tests/Native/$test" --gtest_brief=1 || failed=1
  done
  echo "== cuda_sparse_row_check"
  timeout 240 "$build/benchmarks/Native/cuda_sparse_row_check" || failed=1
  echo "== the host and the tool"
  tool_tests || failed=1
  [ $failed = 0 ] && echo "all passed" || { echo "FAILED"; return 1; }
}

need_app() {
  [ -x "${CATS_GPU_APP:-}/cats" ] || { echo "gpu.sh: CATS_GPU_APP names no folder with the published tool (eng/gpu.sh pack)"; return 1; }
  export CATS_ONNX_LIBRARY=${CATS_ONNX_LIBRARY:-$PWD/$build/libcats_onnx.so} CATS_REQUIRE_CUDA=1
}

tool_tests() {
  need_app || return 1
  local failed=0 work
  timeout 400 "$CATS_GPU_APP/CatsOnnx.Tests.EndToEnd" -noColor -noLogo -showLiveOutput -trait Device=cuda || failed=1
  work=$(mktemp -d)
  local cats=$CATS_GPU_APP/cats demo=models/demo
  echo "== cats, each verb on the GPU"
  timeout 120 "$cats" demo --device cuda || failed=1
  timeout 60 "$cats" calibrate $demo --text $demo/calibrate.txt --device cuda -o "$work/thresholds.json" || failed=1
  timeout 60 "$cats" rewrite $demo -o "$work/sparse" --thresholds "$work/thresholds.json" --check on --device cuda || failed=1
  timeout 60 "$cats" eval "$work/sparse" --text $demo/eval.txt --against $demo --max-perplexity-ratio 1.05 --device cuda || failed=1
  timeout 60 "$cats" generate "$work/sparse" --prompt "Once upon a time" --max-new-tokens 40 --device cuda || failed=1
  timeout 60 "$cats" doctor "$work/sparse" --device cuda || failed=1
  printf '%s\n' "Once upon a time" "/dial 2" "there was a man who" /stats |
    timeout 60 "$cats" chat "$work/sparse" --raw --max-new-tokens 40 --device cuda || failed=1
  timeout 60 "$cats" bench $demo --text $demo/calibrate.txt --rows 1 2 --prefill 128 --device cuda || failed=1
  rm -rf "$work"
  return $failed
}

# A model of each shape with random weights in float16; of the first one also how long rewriting takes and in what memory.
bench_model() {
  need_app || return 1
  local work cats=$CATS_GPU_APP/cats shape shapes=${CATS_SHAPES:-llama2-7b mistral-7b} demo=models/demo
  work=$(mktemp -d)
  for shape in $shapes; do
    echo "### $shape"
    timeout 120 "$cats" make-model --shape "$shape" --dtype fp16 -o "$work/source" || return 1
    if [ "$shape" = "${shapes%% *}" ]; then
      timeout 120 "$cats" calibrate "$work/source" --text $demo/calibrate.txt --tokenizer $demo --max-tokens 2048 --device cuda -o "$work/thresholds.json" || return 1
      python3 - "$cats" rewrite "$work/source" -o "$work/sparse" --thresholds "$work/thresholds.json" --check off --rid none <<'PYTHON' || return 1
import resource, subprocess, sys, time
start = time.time()
subprocess.run(sys.argv[1:], check=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"cats rewrite --thresholds F --check off: {time.time() - start:.1f} s, at most {peak:.0f} MiB resident")
PYTHON
      rm -rf "$work/sparse"
    fi
    timeout 400 "$cats" bench "$work/source" --device cuda --sparsity ${CATS_SPARSITIES:-0.5 0.7 0.9} --rows ${CATS_ROWS:-1 2 4 8} \
      --prefill ${CATS_PREFILL:-512 2048} --context 512 --steps 48 --work "$work" || return 1
    rm -rf "$work/source"
    echo
  done
  rm -rf "$work"
}

# app.tar.xz: the tool and its tests, self-contained, without ONNX Runtime's natives (the GPU's go into the same folder);
# shared.tar.xz: what the tests need of ../shared; inc: ONNX Runtime's headers.
pack() {
  local folder=${1:?eng/gpu.sh pack FOLDER} app
  . eng/setup.sh
  need_dotnet
  mkdir -p "$folder/inc"
  app=$(mktemp -d)
  for project in tests/EndToEnd Managed/CatsOnnx.Cli; do
    dotnet publish $project -c Release -r linux-x64 --self-contained -p:UseAppHost=true -p:DebugType=none -o "$app/app" -v quiet
  done
  rm -rf "$app"/app/{onnxruntime*,libonnxruntime*,libcats_onnx*,models,runtimes} "$app"/app/lib{mscordaccore,mscordbi,clrgc,clrgcexp,coreclrtraceptprovider}.so
  rm -f "$app"/app/System.Private.DataContractSerialization.dll "$app"/app/Microsoft.VisualBasic*.dll "$app"/app/*.pdb
  tar cf - -C "$app" app | xz -T0 -6 >"$folder/app.tar.xz"
  rm -rf "$app"
  cp "${CATS_ORT_INCLUDE_DIR:-$HOME/.nuget/packages/microsoft.ml.onnxruntime/$(sed -n 's/.*<OnnxRuntimeVersion>\(.*\)<.*/\1/p' Directory.Packages.props)/build/native/include}"/*.h "$folder/inc/"
  tar cf - -C .. shared/models/text shared/models/ids shared/models/reference shared/models/llama-3m/optimum-fp32 shared/models/llama-3m/genai-fp32-cpu \
    shared/fixtures/README.md | xz -T0 -6 >"$folder/shared.tar.xz"
  ls -l "$folder"
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
  echo "== memcheck: greedy choice"
  $sanitizer --tool memcheck "$build/tests/Native/cuda_greedy_test" --gtest_brief=1 | tail -4 || failed=1
  echo "== memcheck: the norm, by itself and in the fused kernel"
  $sanitizer --tool memcheck "$build/tests/Native/cuda_skip_rms_norm_test" --gtest_brief=1 --gtest_filter='-*ThousandRuns*' | tail -4 || failed=1
  echo "== memcheck: two rows in the fused kernel"
  $sanitizer --tool memcheck "$build/tests/Native/cuda_two_rows_test" --gtest_brief=1 --gtest_filter='*InFloat16:*Norm*' | tail -4 || failed=1
  echo "== memcheck: one row"
  $sanitizer --tool memcheck "$build/benchmarks/Native/cuda_sparse_row_check" small | tail -4 || failed=1
  # racecheck knows __syncthreads and __syncwarp; kernels with bulk copies order their shared memory by mbarriers and flag
  # words, which it takes for hazards.
  echo "== racecheck: several rows, without bulk copies"
  $sanitizer --tool racecheck "$rows" --gtest_brief=1 --gtest_filter='*EveryRowEquals*InFloat*' | tail -4 || failed=1
  echo "== racecheck: the norm by itself"
  $sanitizer --tool racecheck "$build/tests/Native/cuda_skip_rms_norm_test" --gtest_brief=1 --gtest_filter='*EqualsDoubleSums*' | tail -4 || failed=1
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
  bench-model) bench_model 2>&1 | report model.md ;;
  pack) pack "${2:-}" ;;
  *) sed -n '2,16p' "$0" | sed 's/^# \{0,1\}//'; exit 2 ;;
esac
