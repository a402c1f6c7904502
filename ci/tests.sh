#!/usr/bin/env bash
# The README's test command.
. "$(dirname "$0")/lib.sh"

say "cargo test --workspace"
cargo test --workspace --locked
