#!/usr/bin/env bash
# The benches in their test mode: each runs once, nothing is measured.
. "$(dirname "$0")/lib.sh"

say "benches in test mode"
cargo test --benches --locked
