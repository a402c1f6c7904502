#!/usr/bin/env bash
# Everything at once for ten minutes, or as many as are given: memory, open files and the cost of a turn must stay flat. See
# docs/performance.md. Not a part of CI, which runs it for two seconds.
. "$(dirname "$0")/lib.sh"

minutes=${1:-10}
if [ $# -gt 1 ] || ! [[ $minutes =~ ^[1-9][0-9]{0,3}$ ]]; then
    echo "usage: ci/soak.sh [MINUTES=10]" >&2
    exit 2
fi

say "building"
cargo build --profile peers --locked --package tevent-peers --bin soak
built=${CARGO_TARGET_DIR:-target}/peers
say "everything at once, $minutes minutes"
status=0
"$built/soak" --seconds $((60 * minutes)) --csv "$built/soak.csv" --plot "$built/soak.svg" || status=$?
say "written: $built/soak.csv, $built/soak.svg"
exit "$status"
