#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# eng/setup.sh on a machine without .NET: a stand-in for Microsoft's installer is fetched, called with the channel and
# the folder, and its dotnet comes first on PATH afterwards; a present SDK is left alone.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

# A PATH with the plain tools but no dotnet.
mkdir "$work/bin"
for tool in bash sh cat grep sed mktemp curl rm mkdir chmod id env dirname cp readlink ls; do
  ln -s "$(command -v "$tool" || echo /bin/true)" "$work/bin/$tool"
done

cat >"$work/dotnet-install.sh" <<'STANDIN'
#!/usr/bin/env bash
# Stand-in installer: records its arguments, installs a dotnet that knows one SDK.
echo "$*" >"$RECORD"
while [ $# -gt 0 ]; do case $1 in --install-dir) folder=$2; shift ;; esac; shift; done
mkdir -p "$folder/sdk/10.0.100"
printf '#!/bin/sh\nexit 0\n' >"$folder/dotnet"
chmod +x "$folder/dotnet"
STANDIN

out=$(HOME=$work/home PATH=$work/bin RECORD=$work/record CATS_DOTNET_INSTALL_URL="file://$work/dotnet-install.sh" \
  env -u DOTNET_INSTALL_DIR -u DOTNET_ROOT bash -c ". '$root/eng/setup.sh'; need_dotnet; command -v dotnet" 2>"$work/stderr") || { cat "$work/stderr"; fail "need_dotnet failed"; }
[ "$out" = "$work/home/.dotnet/dotnet" ] || fail "dotnet on PATH is '$out', not the installed one"
[ "$(cat "$work/record")" = "--channel 10.0 --install-dir $work/home/.dotnet" ] || fail "the installer was called with '$(cat "$work/record")'"
grep -q "installing the .NET 10.0 SDK into $work/home/.dotnet" "$work/stderr" || fail "it did not say what it installs"

rm "$work/record"
HOME=$work/home PATH=$work/bin RECORD=$work/record CATS_DOTNET_INSTALL_URL="file://$work/none" \
  env -u DOTNET_INSTALL_DIR -u DOTNET_ROOT bash -c ". '$root/eng/setup.sh'; need_dotnet" 2>/dev/null || fail "an installed SDK was not found again"
[ ! -e "$work/record" ] || fail "the installer ran although an SDK was there"

if HOME=$work/empty PATH=$work/bin CATS_DOTNET_INSTALL_URL="file://$work/none" \
  env -u DOTNET_INSTALL_DIR -u DOTNET_ROOT bash -c ". '$root/eng/setup.sh'; need_dotnet" 2>"$work/stderr"; then fail "a missing installer went unnoticed"; fi
grep -q "could not download file://$work/none" "$work/stderr" || fail "the error does not name the address"
echo "setup: 3 checks passed"
