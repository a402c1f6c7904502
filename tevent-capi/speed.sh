#!/usr/bin/env bash
# What C programs pay on this library beside the C one: the programs that compare libtevent with its peers (benches/peers/c), on both.
# Prints a table: the least of five runs, in nanoseconds for one operation, and their ratio. On an idle machine.
. "$(dirname "$0")/lib.sh"
need_to_build
build

program=$target/capi/peer-tevent
(cd benches/peers/c && gcc -std=gnu11 -O2 -fno-strict-aliasing -o "$program" tevent.c tevent_requests.c latency.c harness.c \
    -ltevent -ltalloc -pthread)

# least LIBRARY_PATH WORKLOAD SIZE
least() { for _ in 1 2 3 4 5; do LD_LIBRARY_PATH=$1 timeout 60 "$program" "$2" "$3" 100; done | sort -g | head -1; }

echo "| workload | C library | this one | ratio |"
echo "|---|---|---|---|"
while read -r workload size; do
    theirs=$(least "" "$workload" "$size")
    here=$(least "$lib" "$workload" "$size")
    awk -v w="$workload $size" -v a="$theirs" -v b="$here" 'BEGIN { printf "| %s | %.0f | %.0f | %.2f |\n", w, a, b, b / a }'
done <<'END'
immediate-rearm 0
immediate-burst 1000
immediate-once 0
timer-cycle 0
timer-latest 10000
timer-fire 10000
timer-zero 1000
ring 1/1000
ring 100/1000
fd-churn 0
fd-cycle-owning 0
fd-cycle-borrowed 0
request-post 0
request-nopost 0
queue 1000
END
