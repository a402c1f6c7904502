#!/usr/bin/env bash
# The README's test command, and what needs a feature.
. "$(dirname "$0")/lib.sh"

say "cargo test --workspace"
cargo test --workspace --locked
say "the feature tracing"
cargo test --features tracing --test crate_tracing --locked
