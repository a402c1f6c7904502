#!/usr/bin/env bash
# Builds the example, one program of C and Rust, runs it, and compares what it prints. Needs what ../build.sh needs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
target=${CARGO_TARGET_DIR:-target}

cargo build --quiet --locked --profile capi -p tevent-capi-example
gcc -O2 -Wall -Wno-unused-result -o "$target/capi/bridge-example" "$here/main.c" "$here/../c/variadic.c" \
    "$target/capi/libtevent_capi_example.a" -ltalloc -lpthread -ldl -lm
timeout 60 "$target/capi/bridge-example" | diff -u "$here/expected.txt" -
echo "ok: the bridge's example prints what it should"
