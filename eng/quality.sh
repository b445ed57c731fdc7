#!/usr/bin/env bash
# The full quality figures: trained models dense and at 50, 70 and 90% by layer and by neuron, beside the reference.
# usage: eng/quality.sh [llama-3m] [llama-31m] [mistral-29m]     (none: all three; several minutes each on 2 free cores)
# Writes benchmarks/results/quality/NAME.md and NAME.json. Exit 3: a figure is beyond its limit.
set -euo pipefail
cd "$(dirname "$0")/.."
shared=../shared/models
[ -d "$shared" ] || { echo "quality.sh needs $shared (trained models and text); it is not there" >&2; exit 2; }
[ $# -gt 0 ] || set -- llama-3m llama-31m mistral-29m
mkdir -p artifacts/models artifacts/quality

unpacked() { # archive name without .tar.xz -> its folder, unpacked once
  local folder=artifacts/models/$1
  if [ ! -d "$folder" ]; then
    rm -rf "$folder.tmp" && mkdir -p "$folder.tmp"
    tar -xJf "$shared/$1.tar.xz" -C "$folder.tmp" --strip-components=1
    mv "$folder.tmp" "$folder"
  fi
  echo "$folder"
}

dotnet build benchmarks/Quality -v quiet --nologo
status=0
for name in "$@"; do
  case $name in
    llama-3m) model=$shared/llama-3m/optimum-fp32 calibration=calibrate_fiction.txt eval=eval_fiction.txt ;;
    llama-31m) model=$(unpacked llama-31m-optimum-fp32) calibration=calibrate.txt eval=eval.txt ;;
    mistral-29m) model=$(unpacked mistral-29m-genai-fp16-cuda) calibration=calibrate.txt eval=eval.txt ;;
    *) echo "quality.sh knows llama-3m, llama-31m and mistral-29m, not '$name'" >&2; exit 1 ;;
  esac
  dotnet run --no-build --project benchmarks/Quality -- "$name" "$model" "$shared/text/$calibration" "$shared/text/$eval" \
    "$shared/reference/$name.json" artifacts/quality benchmarks/results/quality || status=$?
done
exit $status
