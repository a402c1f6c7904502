#!/usr/bin/env bash
# Every interleaving of the hand-over between threads, by loom.
. "$(dirname "$0")/lib.sh"

say "loom"
RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom" \
    cargo test --release --locked -p tevent-core --lib exhaustive
