#!/usr/bin/env bash
# Builds the example, one program of C and Rust, runs it, and compares what it prints. Needs what ../build.sh needs.
. "$(dirname "$0")/../lib.sh"
[ $# = 0 ] || usage
need_to_build

cargo build --quiet --locked --profile capi -p tevent-capi-example
gcc -O2 -Wall -Wno-unused-result -o "$target/capi/bridge-example" "$here/example/main.c" "$here/c/variadic.c" \
    "$target/capi/libtevent_capi_example.a" -ltalloc -lpthread -ldl -lm
# The panic that is asked for is told on stderr.
timeout 60 "$target/capi/bridge-example" 2>/dev/null | diff -u "$here/example/expected.txt" -
ok "the bridge's example prints what it should"
