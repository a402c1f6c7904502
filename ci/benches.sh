#!/usr/bin/env bash
# The benches in their test mode: each runs once, nothing is measured. For the comparison with peers itself see peers.sh, for the
# soak, which runs for two seconds here, soak.sh.
. "$(dirname "$0")/lib.sh"

say "benches in test mode"
cargo test --benches --locked
say "the comparison with peers, the Rust half, with tiny numbers"
cargo test --locked --package tevent-peers
