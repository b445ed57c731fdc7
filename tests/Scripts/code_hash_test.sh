#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# eng/code_hash.sh: the hash follows the device code and all that it includes, and nothing else; results of other code are
# named, with both hashes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

results=$work/benchmarks/results/h200
mkdir -p "$work/eng" "$work/CustomOp" "$results"
cp "$root/eng/code_hash.sh" "$work/eng"
cp -r "$root/CustomOp/kernels" "$root/CustomOp/formats" "$work/CustomOp"
chmod -R u+w "$work"
hash() { "$work/eng/code_hash.sh"; }

now=$(hash)
[ "$now" = "$("$root/eng/code_hash.sh")" ] || fail "the same files elsewhere have another hash"
[[ $now =~ ^[0-9a-f]{16}$ ]] || fail "'$now' is no hash"

# Every file of the list counts, and every header that one of them includes is in the list.
mapfile -t covered < <("$work/eng/code_hash.sh" files)
for file in CustomOp/kernels/cuda/sparse_row.cu CustomOp/kernels/silu.h CustomOp/formats/formats.def CustomOp/formats/portable.h; do
  [[ " ${covered[*]} " == *" $file "* ]] || fail "$file is not covered"
done
for file in "${covered[@]}"; do
  cp "$work/$file" "$work/saved"
  echo "// another line" >>"$work/$file"
  [ "$(hash)" != "$now" ] || fail "a change of $file does not show"
  cp "$work/saved" "$work/$file"
done
[ "$(hash)" = "$now" ] || fail "the same files again have another hash"

echo "// another line" >>"$work/CustomOp/kernels/cpu/isa.cc"
[ "$(hash)" = "$now" ] || fail "the CPU kernels count"
echo "#pragma once" >"$work/CustomOp/kernels/new.h"
[ "$(hash)" = "$now" ] || fail "a header that nobody includes counts"
echo '#include "kernels/new.h"' >>"$work/CustomOp/formats/portable.h"
with=$(hash)
[ "$with" != "$now" ] || fail "a new include does not show"
echo "// another line" >>"$work/CustomOp/kernels/new.h"
[ "$(hash)" != "$with" ] || fail "a change of a newly included header does not show"
echo '#include "kernels/absent.h"' >>"$work/CustomOp/formats/portable.h"
if hash >/dev/null 2>"$work/stderr"; then fail "a header that is not there goes unnoticed"; fi
grep -q 'portable.h includes "kernels/absent.h"' "$work/stderr" || fail "the error does not name the header"
cp "$root/CustomOp/formats/portable.h" "$work/CustomOp/formats/portable.h"

echo "device code $now, a GPU" >"$results/now.md"
printf '# Title\n\ndevice code 0123456789abcdef, a GPU\n' >"$results/old.md"
echo "{\"device_code\": \"$now\"}" >"$results/now.json"
echo "no hash" >"$results/none.txt"
expected="STALE benchmarks/results/h200/none.txt: measured on device code unknown (it names none), now $now
STALE benchmarks/results/h200/old.md: measured on device code 0123456789abcdef, now $now"
[ "$("$work/eng/code_hash.sh" stale)" = "$expected" ] || fail "stale says: $("$work/eng/code_hash.sh" stale)"
echo "code hash: ${#covered[@]} files, all checks passed"
