#!/usr/bin/env bash
# ci/fuzz.sh [SECONDS]: the daemon's parser under a fuzzer, for a minute if nothing else is said. Not a step of .ci/run.
. "$(dirname "$0")/lib.sh"

rustup toolchain list | grep -q '^nightly' || rustup toolchain install nightly --profile minimal
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz

say "cargo fuzz run resp"
mkdir -p fuzz/corpus/resp
cargo +nightly fuzz run resp fuzz/corpus/resp fuzz/seeds/resp -- \
    -max_total_time="${1:-60}" -max_len=8192 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1
