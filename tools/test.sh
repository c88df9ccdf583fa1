#!/usr/bin/env bash
# Installs what is missing, builds everything and runs all tests. Arguments go to ctest, e.g. tools/test.sh -R Gguf.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/lib/setup.sh

barewave_install
barewave_build
ctest --test-dir build --output-on-failure -j "$(nproc)" "$@"
