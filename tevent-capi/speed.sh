#!/usr/bin/env bash
# What C programs pay on this library beside the C one: one program, the same that compares libtevent with its peers (benches/peers/c), on
# both in turn. Prints a table: the medians in nanoseconds of the processor's time for one operation, the median of their ratios, paired by
# round, and the instructions of one operation outside of the kernel, as the difference of two runs under callgrind.
# ROUNDS=0 only counts, COUNT=0 only measures, ONLY=workload,workload chooses less. Times are worth something on an idle machine alone.
. "$(dirname "$0")/lib.sh"
[ $# = 0 ] || usage
need_to_build
need valgrind valgrind
build >&2
rounds=${ROUNDS:-9} count=${COUNT:-1}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd benches/peers/c && gcc -std=gnu11 -O2 -fno-strict-aliasing -o "$work/peer-tevent" tevent.c tevent_requests.c latency.c harness.c \
    -ltevent -ltalloc -pthread)

# on LIBRARY_PATH COMMAND...
on() { LD_LIBRARY_PATH=$1 timeout 120 "${@:2}"; }

# instructions LIBRARY_PATH WORKLOAD SIZE OPERATIONS: of the whole run.
instructions() {
    PEERS_OPERATIONS=$4 on "$1" valgrind --tool=callgrind --callgrind-out-file=/dev/null "$work/peer-tevent" "$2" "$3" 2>&1 >/dev/null |
        awk '/refs:/ { gsub(",", "", $NF); print $NF }'
}

# each LIBRARY_PATH WORKLOAD SIZE OPERATIONS: of one operation.
each() { echo $((($(instructions "$1" "$2" "$3" $((2 * $4))) - $(instructions "$1" "$2" "$3" "$4")) / $4)); }

# times WORKLOAD SIZE: three cells.
times() {
    local round theirs here
    for ((round = 0; round < rounds; round++)); do
        if ((round % 2)); then
            theirs=$(on "" "$work/peer-tevent" "$1" "$2" 100) here=$(on "$lib" "$work/peer-tevent" "$1" "$2" 100)
        else
            here=$(on "$lib" "$work/peer-tevent" "$1" "$2" 100) theirs=$(on "" "$work/peer-tevent" "$1" "$2" 100)
        fi
        echo "$theirs" >>"$work/theirs" && echo "$here" >>"$work/here"
        awk -v a="$theirs" -v b="$here" 'BEGIN { print b / a }' >>"$work/ratios"
    done
    printf '%.0f | %.0f | %.2f' "$(median "$work/theirs")" "$(median "$work/here")" "$(median "$work/ratios")"
    rm "$work/theirs" "$work/here" "$work/ratios"
}
median() { sort -g "$1" | sed -n "$((rounds / 2 + 1))p"; }

echo "| workload | C library, ns | this one, ns | ratio | C library, instructions | this one | ratio |"
echo "|---|---|---|---|---|---|---|"
while read -r workload size operations; do
    [ -z "${ONLY:-}" ] || [[ ",$ONLY," == *",$workload,"* ]] || continue
    row="| $workload"
    [ "$size" = 0 ] || row+=" $size"
    if [ "$rounds" -gt 0 ]; then row+=" | $(times "$workload" "$size")"; else row+=" | – | – | –"; fi
    if [ "$count" = 1 ]; then
        theirs=$(each "" "$workload" "$size" "$operations")
        here=$(each "$lib" "$workload" "$size" "$operations")
        row+=" | $theirs | $here | $(awk -v a="$theirs" -v b="$here" 'BEGIN { printf "%.2f", b / a }')"
    else
        row+=" | – | – | –"
    fi
    echo "$row |"
done <<'END'
immediate-rearm 0 20000
immediate-burst 1000 20000
immediate-once 0 20000
timer-cycle 0 20000
timer-cycle 1000 2000
timer-latest 10000 20000
timer-fire 10000 20000
timer-zero 1000 20000
ring 1/1000 20000
ring 100/1000 20000
fd-churn 0 5000
fd-cycle-owning 0 5000
request-post 0 20000
request-nopost 0 20000
queue 1000 20000
END
