#!/usr/bin/env bash
# etc/lotse.toml is what the programs say of themselves.
# usage: sample_test.sh BUILD_DIR
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
"$1/bin/lotse" config default --commented --plugin-path "$1/lib/lotse/plugins" | diff -u "$root/etc/lotse.toml" - ||
  { echo "make it anew: build/release/bin/lotse config default --commented --plugin-path build/release/lib/lotse/plugins > etc/lotse.toml"; exit 1; }
"$1/bin/lotse" config check "$root/etc/lotse.toml" --plugin-path "$1/lib/lotse/plugins"
