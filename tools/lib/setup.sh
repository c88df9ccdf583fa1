# Shared by demo.sh and test.sh: installs what is missing on Debian 12 and builds. Sourced, not run.

barewave_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

barewave_packages=(
  g++ cmake ninja-build ccache pkg-config python3
  llvm-19-dev liblld-19-dev zlib1g-dev libzstd-dev
  libdrm-dev rocminfo libfmt-dev libcli11-dev nlohmann-json3-dev libgtest-dev libgmock-dev libbenchmark-dev
)

barewave_fail() {
  echo "barewave: $*" >&2
  exit 1
}

# Installs the packages that are not there yet, as root or through sudo.
barewave_install() {
  command -v dpkg-query >/dev/null || barewave_fail "this script installs with Debian's apt-get; on another system install the packages named in tools/lib/setup.sh and run cmake --preset release"
  local missing=() package
  for package in "${barewave_packages[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || barewave_fail "installing ${missing[*]} needs root: run as root or install sudo"
    as_root=(sudo)
  fi
  echo "installing ${missing[*]}" >&2
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# barewave_build PRESET [TARGET...]: configures and builds a preset of CMakePresets.json.
barewave_build() {
  local preset=$1
  shift
  (
    cd "$barewave_root"
    cmake --preset "$preset" >build-configure.log 2>&1 || { cat build-configure.log >&2; barewave_fail "configuring failed"; }
    rm -f build-configure.log
    cmake --build --preset "$preset" --target "${@:-all}" >&2
  )
}
