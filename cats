#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ./cats ARGS: installs what is missing after saying so, builds when something changed, runs the tool.
# Standard output is the tool's alone.
set -euo pipefail
CATS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$CATS_ROOT/eng/setup.sh"

tool=$CATS_ROOT/artifacts/bin/CatsOnnx.Cli/release/cats.dll
stamp=$CATS_ROOT/artifacts/cats.stamp
natives=${CatsOrt:-Cpu}
sources=(GraphRewriter CustomOp Managed CMakeLists.txt CMakePresets.json Directory.Build.props Directory.Build.targets Directory.Packages.props global.json)

# A shell that completes a line asks at every Tab: what was built last answers, nothing is installed, built or said.
if [[ ${1:-} = "[suggest"* ]]; then
  [ -f "$tool" ] || exit 0
  has_sdk dotnet || PATH=${DOTNET_INSTALL_DIR:-$HOME/.dotnet}:$PATH
  exec dotnet "$tool" "$@" 2>/dev/null
fi

changed() {
  [ -f "$tool" ] && [ -f "$stamp" ] || return 0
  [ "$(<"$stamp")" = "$natives" ] || return 0  # built with the other natives
  # Directories count too: a removed file changes its folder.
  [ -n "$(cd "$CATS_ROOT" && find "${sources[@]}" -newer "$stamp" -print -quit)" ]
}

need_dotnet
if changed; then
  need_packages cmake:cmake g++:g++ make:make
  mkdir -p "$CATS_ROOT/artifacts"
  begun=$(mktemp "$CATS_ROOT/artifacts/cats.XXXXXX")
  printf '%s' "$natives" >"$begun"
  say "building (first time: a few minutes) ..."
  log=$CATS_ROOT/artifacts/cats-build.log
  if ! dotnet build "$CATS_ROOT/Managed/CatsOnnx.Cli/CatsOnnx.Cli.csproj" -c Release -v quiet >"$log" 2>&1; then
    cat "$log" >&2; rm -f "$begun"; die "the build failed (log: $log)"
  fi
  mv "$begun" "$stamp"  # the time at which the build began: what changed meanwhile is built next time
fi
exec dotnet "$tool" "$@"
