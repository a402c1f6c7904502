#!/usr/bin/env bash
# The daemon of examples/daemon before real clients, with redis-server beside it where there is something to compare. Not a part of CI:
# the benchmark takes up to ten minutes, the rest three. Loopback only; each part is a script in ci/daemon/.
#   ci/daemon.sh sessions|limits|signals|kill|disk-full|churn|benchmark|all
# SUBJECT=redis puts redis-server in the daemon's place and so tries the proof itself: not signals and disk-full, and of limits not those
# on memory, which are other than its own.
# DAEMON=PATH takes a binary that is there already.
. "$(dirname "$0")/lib.sh"

parts=(sessions limits signals kill disk-full churn benchmark)
usage() {
    echo "usage: ci/daemon.sh $(IFS='|'; echo "${parts[*]}")|all" >&2
    exit 2
}
[ $# = 1 ] || usage
if [ "$1" != all ]; then
    [[ " ${parts[*]} " == *" $1 "* ]] || usage
    parts=("$1")
fi

need redis-cli redis-tools
need redis-server redis-server

say "building"
target=${CARGO_TARGET_DIR:-target}
cargo build --release --locked --package tevent-peers --bin resp-churn
export SUBJECT=${SUBJECT:-daemon} LOAD=$target/release/resp-churn
if [ "$SUBJECT" = daemon ] && [ -z "${DAEMON:-}" ]; then
    # As the C libraries and servers beside it are built: optimised as a whole.
    cargo build --profile peers --locked --example daemon
    DAEMON=$target/peers/examples/daemon
fi
export DAEMON=${DAEMON:-}

failed=()
for part in "${parts[@]}"; do
    say "$part"
    SECONDS=0
    timeout --kill-after=20 1800 bash "ci/daemon/$part.sh" || failed+=("$part")
    echo "$part: $SECONDS s"
done
[ ${#failed[@]} = 0 ] || { echo "FAILED: ${failed[*]}"; exit 1; }
echo "passed: ${parts[*]}"
