#!/usr/bin/env bash
# What one operation takes of ours, of libtevent and of the plain loop, in instructions outside of the kernel and in system calls: see
# docs/performance.md. Counted, not timed: the difference of two runs that do N and 2N operations, under callgrind and strace.
# ONLY=workload,workload chooses less.
. "$(dirname "$0")/lib.sh"
need valgrind valgrind
need strace strace

built=${CARGO_TARGET_DIR:-target}/peers
say "building"
BUILD_ONLY=1 ci/peers.sh >/dev/null

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# counted N COMMAND...: the instructions and the system calls of a run of N operations.
counted() {
    export PEERS_OPERATIONS=$1
    shift
    valgrind --tool=callgrind --callgrind-out-file="$scratch/callgrind" "$@" >/dev/null 2>"$scratch/log"
    strace -f -c -o "$scratch/calls" "$@" >/dev/null
    echo "$(awk '/refs:/ { gsub(",", "", $NF); print $NF }' "$scratch/log") $(awk '$NF == "total" { print $4 }' "$scratch/calls")"
}

# each PEER WORKLOAD SIZE N: a cell.
each() {
    local program=$built/peer-$1 arguments=("$2" "$3")
    if "$program" "${arguments[@]}" 1 2>/dev/null | grep -q '^lacks'; then
        echo "–"
        return
    fi
    { counted "$4" "$program" "${arguments[@]}"; counted $((2 * $4)) "$program" "${arguments[@]}"; } |
        awk -v n="$4" 'NR == 1 { i = $1; c = $2 } END { printf "%.0f, %.2f", ($1 - i) / n, ($2 - c) / n }'
}

say "instructions and system calls of one operation"
echo "| workload | ours | libtevent | raw |"
echo "|---|---|---|---|"
rows=0
while read -r workload size n; do
    [ -z "${ONLY:-}" ] || [[ ",$ONLY," == *",$workload,"* ]] || continue
    [ "$size" = 0 ] && name=$workload || name="$workload $size"
    row="| $name"
    for peer in ours tevent raw; do
        ours=$workload
        [ "$peer" = ours ] || ours=${workload%-batch}
        row+=" | $(each "$peer" "$ours" "$size" "$n")"
    done
    echo "$row |"
    rows=$((rows + 1))
done <<'END'
immediate-rearm 0 20000
immediate-burst 1000 20000
immediate-once 0 20000
timer-cycle 0 20000
timer-latest 100 20000
timer-zero 1000 20000
ring 10/100 20000
ring-batch 10/100 20000
fd-churn 0 5000
fd-cycle-owning 0 5000
fd-cycle-borrowed 0 5000
request-post 0 20000
request-nopost 0 20000
queue 1000 20000
END
if [ "$rows" = 0 ]; then
    echo "instructions: no such workload is counted here: $ONLY" >&2
    exit 2
fi
