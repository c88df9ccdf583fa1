#!/usr/bin/env bash
# Installs what is missing, builds, and lets a small language model continue a prompt on the card, or on the emulated one.
# Usage: tools/demo.sh [PROMPT]
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/lib/setup.sh

barewave_install
barewave_build release barewave
prompt=${1:-And it came to pass}
printf '%s' "$prompt"  # the command prints what follows it
exec build/barewave generate --model tests/data/kjv-3m/kjv-3m.Q8_0.gguf --prompt "$prompt" --tokens 64
