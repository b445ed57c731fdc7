# SPDX-License-Identifier: MIT
# Sourced by ./cats, ./test and eng/*.sh: finds what a build needs and installs what is missing after saying so.
# Everything it prints goes to standard error.

CATS_ROOT=${CATS_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
# Microsoft's installer script; a file:// address serves machines that keep their own copy (and the test of this file).
CATS_DOTNET_INSTALL_URL=${CATS_DOTNET_INSTALL_URL:-https://dot.net/v1/dotnet-install.sh}
CATS_DOTNET_CHANNEL=10.0

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=${DOTNET_SYSTEM_GLOBALIZATION_INVARIANT:-1}

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 2; }

# as_root COMMAND...: runs it as root, or fails with the command that a person would have to run.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null 2>&1; then sudo "$@"
  else die "this needs root and there is no sudo; run as root: $*"; fi
}

# need_packages COMMAND:PACKAGE...: Debian packages whose command (or, with a leading /, file) is missing.
need_packages() {
  local missing=() pair
  for pair in "$@"; do
    case "${pair%%:*}" in
      /*) [ -e "${pair%%:*}" ] || missing+=("${pair#*:}") ;;
      *) command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair#*:}") ;;
    esac
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null 2>&1 || die "missing: ${missing[*]}. Automatic installation knows Debian and Ubuntu (apt-get) only; install them and run this again."
  say "installing with apt-get: ${missing[*]}"
  as_root apt-get update -qq >&2 || die "apt-get update failed; needed: ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >&2 || die "apt-get could not install: ${missing[*]}"
}

# has_sdk DOTNET: whether that dotnet has an SDK of the channel. Looks at folders: starting the SDK takes longer than
# the tool that ./cats starts.
has_sdk() {
  local program; program=$(command -v "$1") || return 1
  program=$(readlink -f "$program")
  ls -d "${program%/*}/sdk/${CATS_DOTNET_CHANNEL%.*}."* >/dev/null 2>&1
}

# need_dotnet: puts a dotnet with the right SDK first on PATH.
need_dotnet() {
  local own=${DOTNET_INSTALL_DIR:-$HOME/.dotnet}
  if has_sdk dotnet; then return 0; fi
  if ! has_sdk "$own/dotnet"; then
    need_packages curl:curl /etc/ssl/certs/ca-certificates.crt:ca-certificates
    say "installing the .NET $CATS_DOTNET_CHANNEL SDK into $own with Microsoft's installer ($CATS_DOTNET_INSTALL_URL)"
    local script; script=$(mktemp)
    curl -fsSL --retry 3 "$CATS_DOTNET_INSTALL_URL" -o "$script" || { rm -f "$script"; die "could not download $CATS_DOTNET_INSTALL_URL; install the .NET $CATS_DOTNET_CHANNEL SDK by hand and run this again"; }
    bash "$script" --channel "$CATS_DOTNET_CHANNEL" --install-dir "$own" >&2 || { rm -f "$script"; die "the .NET installer failed"; }
    rm -f "$script"
    has_sdk "$own/dotnet" || die "the .NET installer ran, but $own has no $CATS_DOTNET_CHANNEL SDK"
  fi
  export DOTNET_ROOT=$own PATH="$own:$PATH"
}
