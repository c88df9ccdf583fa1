#!/usr/bin/env bash
# Installs what is missing, builds everything and runs all tests: tools/test.sh [--sanitizer address|thread] [ARG...]
# With a sanitizer, in a build of its own (address: with undefined behaviour and leaks). ARGs go to ctest, e.g. -R Gguf.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/lib/setup.sh

preset=release
if [ "${1-}" = --sanitizer ]; then
  case "${2-}" in
    address) preset=asan ;;
    thread) preset=tsan ;;
    *) barewave_fail "--sanitizer takes 'address' or 'thread', not '${2-}'" ;;
  esac
  shift 2
fi

barewave_install
barewave_build "$preset"
ctest --preset "$preset" -j "$(nproc)" "$@"
