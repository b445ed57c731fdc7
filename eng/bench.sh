#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs a benchmark and writes its results with device, versions and command.
#   eng/bench.sh mlp [flags of mlp_bench]    one gated MLP on the CPU -> benchmarks/results/cpu/mlp.md
#   eng/bench.sh model [flags of cats bench]  a whole model on the CPU -> benchmarks/results/cpu/model.md
set -euo pipefail
cd "$(dirname "$0")/.."

header() {  # title, command
  echo "# $1"
  echo
  echo "- command: \`$2\`"
  echo "- date: $(date -u +%Y-%m-%d), commit $(git rev-parse --short HEAD)"
  echo "- processor: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores; load before the run: $(cut -d' ' -f1 /proc/loadavg)"
  echo "- $(c++ --version | head -1)"
}

bench_mlp() {
  cmake --preset bench >/dev/null
  cmake --build --preset bench --target mlp_bench >/dev/null
  local result=benchmarks/results/cpu/mlp.md
  mkdir -p "$(dirname "$result")"
  {
    header "One gated MLP on the CPU, custom op against ONNX Runtime's dense nodes" "eng/bench.sh mlp${*:+ $*}"
    echo "- weights rotate over 2 GiB; dense and sparse runs take turns; time: median (fastest); x dense: median over the"
    echo "  pairs; GB/s: bytes that must be read over the fastest time; ceiling: the fastest of eight plain reads of the weights just before"
    echo "- the dense model of float16 is float16 (ONNX Runtime widens it at load), that of bfloat16 is float"
    echo
    artifacts/native/bench/benchmarks/Native/mlp_bench "$@"
  } | tee "$result.new"
  mv "$result.new" "$result"
}

bench_model() {
  local result=benchmarks/results/cpu/model.md flags=("$@")
  [ $# -gt 0 ] || flags=(--shape tinyllama-1.1b --sparsity 0.5 0.7)
  . eng/setup.sh
  need_dotnet
  dotnet build Managed/CatsOnnx.Cli -c Release -v quiet
  {
    header "Whole model with random weights on the CPU: one decoded token, dense and sparse in turns" "eng/bench.sh model${*:+ $*}"
    echo "- \`cats bench ${flags[*]}\`"
    echo
    dotnet artifacts/bin/CatsOnnx.Cli/release/cats.dll bench "${flags[@]}"
  } | tee "$result.new"
  mv "$result.new" "$result"
}

case "${1:-}" in
  mlp) shift; bench_mlp "$@" ;;
  model) shift; bench_model "$@" ;;
  *) echo "usage: eng/bench.sh mlp [flags of mlp_bench] | model [flags of cats bench]" >&2; exit 1 ;;
esac
