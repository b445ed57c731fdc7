#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# All that a change needs before it is committed: format, file sizes, both builds, every test that needs no device.
# eng/check.sh quick leaves the tests out.
set -euo pipefail
CATS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$CATS_ROOT"
. eng/setup.sh
failed=0

sources() { git ls-files --cached --others --exclude-standard -- "$@"; }

need_packages clang-format:clang-format
if ! sources '*.cc' '*.h' '*.cu' '*.cuh' | xargs -r clang-format --dry-run -Werror; then say "C++ format: run clang-format -i on the files above"; failed=1; fi

# House rule: warn above 300 lines, fail above 500.
while read -r lines file; do
  if [ "$lines" -gt 500 ]; then say "too large: $file has $lines lines (at most 500)"; failed=1
  elif [ "$lines" -gt 300 ]; then say "large: $file has $lines lines"; fi
done < <(sources '*.cs' '*.cc' '*.h' '*.cu' '*.cuh' | xargs -r -d '\n' wc -l | awk '$2 != "total" {print $1, $2}')

# Every source file says what it is for.
while read -r file; do
  head -n 1 "$file" | grep -q 'SPDX-License-Identifier: MIT' || { say "no SPDX line: $file"; failed=1; }
done < <(sources '*.cs' '*.cc' '*.h' '*.cu' '*.cuh')

size=$(git ls-files -z | xargs -0 du -cb 2>/dev/null | tail -n 1 | cut -f1)
[ "$size" -lt $((20 * 1024 * 1024)) ] || { say "tracked files hold $size bytes; at most 20 MB travel to the GPU machine"; failed=1; }

if [ "${1:-}" != quick ]; then
  ./test || failed=1
  # Marks of stale tables; ./test lets them differ.
  pages=$(sha256sum README.md docs/*.md docs/api/*.md)
  eng/readme.sh >/dev/null || failed=1
  [ "$pages" = "$(sha256sum README.md docs/*.md docs/api/*.md)" ] || { say "README.md or docs were not up to date; eng/readme.sh has refreshed them: commit them"; failed=1; }
fi
[ "$failed" = 0 ] && say "check: all good"
exit "$failed"
