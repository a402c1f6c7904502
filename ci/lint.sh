#!/usr/bin/env bash
# Formatting and clippy, warnings as errors.
. "$(dirname "$0")/lib.sh"

say "rustfmt"
cargo fmt --all --check
say "clippy"
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
