#!/usr/bin/env bash
# 500 clients that check every byte of their replies while 10,000 others come and are gone in bad ways, by benches/peers' resp-churn.
# Afterwards the daemon has the files that it had before, the clients it has, and the memory that it had after the first such run.
. "$(dirname "$0")/lib.sh"

steady=500 passing=10000
rounds=${CHURNS:-3}
margin=4096 # KiB
ulimit -n $((4 * steady))

start churn --max-clients $((2 * steady))
before=$(files)

# churn SEED: leaves `memory`, in KiB.
churn() {
    local were came
    were=$(info total_connections_received)
    check "seed $1: every reply is as it must be" timeout 120 "$LOAD" "$port" $steady $passing "$1"
    came=$(($(info total_connections_received) - were))
    # Who is gone before the server has looked need not be counted.
    check "seed $1: $came connections were received" [ $came -ge $((steady + passing / 2)) ]
    check "seed $1: connected_clients is 1 again" eventually 10 is connected_clients 1
    check "seed $1: $before files are open, as before" eventually 10 has_files_of_before
    cli FLUSHALL >"$work/flushed"
    memory=$(resident)
}
has_files_of_before() { [ "$(files)" = "$before" ]; }

churn 0
first=$memory
for ((seed = 1; seed <= rounds; seed++)); do
    churn "$seed"
    check "seed $seed: $memory KiB, no more than the $first KiB after the first run and $margin" [ "$memory" -le $((first + margin)) ]
done
exit "$failed"
