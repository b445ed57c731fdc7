#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ./cats answers a shell's Tab from what was built last: it neither builds nor says anything, whatever changed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
fail() { echo "FAILED: $*"; exit 1; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

"$root/cats" --version >/dev/null 2>&1  # builds where something changed
source <("$root/cats" completion bash)
complete_line() {
  read -ra COMP_WORDS <<<"$1"
  COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
  _cats_complete "${COMP_WORDS[0]}" "${COMP_WORDS[-1]}" ""
}
complete_line "$root/cats rewrite --thr"
[ "${COMPREPLY[*]}" = --thresholds ] || fail "completed '${COMPREPLY[*]}'"

# A checkout of which nothing is built, on a machine without an SDK.
mkdir "$work/eng"; cp "$root/cats" "$work/"; cp "$root/eng/setup.sh" "$work/eng/"
said=$(PATH=/usr/bin:/bin HOME=$work "$work/cats" '[suggest:5]' 'cats ' 2>&1) || fail "exit $?"
[ -z "$said" ] || fail "said: $said"

# One that is out of date answers all the same.
mkdir -p "$work/artifacts/bin/CatsOnnx.Cli"; ln -s "$root/artifacts/bin/CatsOnnx.Cli/release" "$work/artifacts/bin/CatsOnnx.Cli/release"
said=$("$work/cats" '[suggest:7]' 'cats re' 2>&1)
[ "$said" = $'report\nrevert\nrewrite' ] || fail "said: $said"
[ ! -e "$work/artifacts/cats-build.log" ] || fail "it was built"
echo "completion: quiet"
