#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Refreshes what is made from other files: the included code and tables of README.md and pages of docs, and docs/api.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/setup.sh
need_dotnet
CATS_UPDATE_README=1 dotnet run --project tests/Unit -v quiet -- -class '*.ReadmeTests' -class '*.ApiPagesTests' -noColor
