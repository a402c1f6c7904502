#!/usr/bin/env bash
# The docs, warnings as errors.
. "$(dirname "$0")/lib.sh"

say "rustdoc"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items
