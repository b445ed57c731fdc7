#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ./cats starts in under a second when nothing changed, and its standard output is the tool's alone. The fastest of some
# starts counts: the machine has other work too.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
fail() { echo "FAILED: $*"; exit 1; }

"$root/cats" --version >/dev/null  # builds where something changed
best=
for _ in 1 2 3 4 5 6; do
  began=$(date +%s%N)
  out=$("$root/cats" --version 2>/dev/null)
  took=$((($(date +%s%N) - began) / 1000000))
  [ "$(wc -l <<<"$out")" = 1 ] || fail "standard output holds more than the version: $out"
  if [ -z "$best" ] || [ "$took" -lt "$best" ]; then best=$took; fi
done
[ "$best" -lt 1000 ] || fail "the fastest start took $best ms"
echo "start: $best ms"
