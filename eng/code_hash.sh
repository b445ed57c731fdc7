#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The hash of the device code: a figure measured on a GPU holds for it and for no other.
#   eng/code_hash.sh          the hash of CustomOp/kernels/cuda and of all that its files include, directly or not
#   eng/code_hash.sh files    the files that it covers
#   eng/code_hash.sh stale    a line for each result of a GPU (benchmarks/results/h100, h200) that was measured on other code
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Includes stand in quotes and are named from CustomOp or from the folder of the file; conditions around them do not count.
files() {
  local -A seen=()
  local queue=(CustomOp/kernels/cuda/*) file name
  while [ ${#queue[@]} -gt 0 ]; do
    file=${queue[0]} queue=("${queue[@]:1}")
    [ -z "${seen[$file]:-}" ] || continue
    seen[$file]=1
    while read -r name; do
      if [ -f "CustomOp/$name" ]; then queue+=("CustomOp/$name")
      elif [ -f "$(dirname "$file")/$name" ]; then queue+=("$(dirname "$file")/$name")
      else echo "code_hash.sh: $file includes \"$name\", which is neither in CustomOp nor beside it" >&2; return 1; fi
    done < <(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file")
  done
  printf '%s\n' "${!seen[@]}" | LC_ALL=C sort
}

code_hash() {
  local list; list=$(files)
  xargs -d '\n' sha256sum <<<"$list" | sha256sum | cut -c1-16
}

# A result names the code near its top: "device code HASH", in JSON "device_code": "HASH".
stale() {
  local now result was; now=$(code_hash)
  for result in benchmarks/results/h100/* benchmarks/results/h200/*; do
    [ -f "$result" ] || continue
    was=$(head -n 20 "$result" | grep -oE 'device[ _]code[": ]+[0-9a-f]{16}' | head -n 1 | grep -oE '[0-9a-f]{16}$' || true)
    [ "$was" = "$now" ] || echo "STALE $result: measured on device code ${was:-unknown (it names none)}, now $now"
  done
}

case "${1:-}" in
  "") code_hash ;;
  files) files ;;
  stale) stale ;;
  *) sed -n '3,6p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac
