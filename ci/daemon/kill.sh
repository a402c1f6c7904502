#!/usr/bin/env bash
# The daemon is killed at a random moment while it writes a snapshot, KILLS times (50). What the next one loads is the data of one moment:
# a writer sets all generation keys at once, again and again, so that they always agree. And it is no older than the last snapshot that
# INFO has told of.
. "$(dirname "$0")/lib.sh"

rounds=${KILLS:-50}
keys=500 ballast=30000 # KiB, so that a snapshot takes its time
floor=0
longest=20000 # microseconds, until one has been measured
halves=0

names=$(seq -f 'gen:%.0f' $keys | paste -sd ' ')
requests_for_ballast() {
    awk -v n=$ballast 'BEGIN { for (i = 0; i < n; i++) printf "SET ballast:%d %01024d\r\n", i, i }'
}
ballast_digest() {
    awk -v n=$ballast 'BEGIN { for (i = 0; i < n; i++) printf "%s ballast:%d%s", i % 1000 ? "" : "MGET", i, i % 1000 < 999 ? "" : "\n" }' |
        cli | md5sum
}
generation() { cli GET gen:1 | cut -d : -f 1; }

# write_from GENERATION: without end, in the background.
write_from() {
    awk -v n=$keys -v g="$1" 'BEGIN { for (;; g++) { printf "MSET"; for (i = 1; i <= n; i++) printf " gen:%d %d:%0200d", i, g, i; print "" } }' |
        redis-cli -p "$port" >/dev/null 2>&1 &
    writer=$!
    servers[$writer]=writer
}
stop_writer() {
    kill -9 "$writer"
    wait "$writer" 2>/dev/null || true
    unset "servers[$writer]"
}

# loaded: whether what is there is whole, of one generation, and no older than `floor`; leaves that in `now`.
loaded() {
    local generations
    # shellcheck disable=SC2086 # one argument for each name
    generations=$(cli MGET $names | cut -d : -f 1 | sort | uniq -c)
    now=$(awk '{ print $2 }' <<<"$generations")
    [ "$(awk '{ print $1 }' <<<"$generations")" = $keys ] || { wrong "of several generations: $generations"; return 1; }
    [ "$now" -ge "$floor" ] || { wrong "generation $now, though INFO told of a snapshot of $floor"; return 1; }
    [ "$(cli DBSIZE)" = $((keys + ballast)) ] || { wrong "$(cli DBSIZE) keys"; return 1; }
    [ "$(ballast_digest)" = "$digest" ] || { wrong "other values"; return 1; }
}

# snapshot: a whole one, and how long it took.
snapshot() {
    local from least count
    least=$(generation) count=$(saved)
    from=${EPOCHREALTIME/./}
    cli BGSAVE >"$work/reply"
    eventually 30 has_saved "$count" || { wrong "no snapshot: $(cat "$work/reply")"; exit 1; }
    longest=$((${EPOCHREALTIME/./} - from))
    floor=$least
}

has_generation() { [[ "$(generation)" =~ ^[0-9]+$ ]]; }

start kill
requests_for_ballast | cli --pipe >"$work/reply"
write_from 1
eventually 10 has_generation
digest=$(ballast_digest)
for ((round = 1; round <= rounds; round++)); do
    snapshot
    cli BGSAVE >"$work/reply"
    sleep "$(awk -v us=$((SRANDOM % (longest + longest / 4))) 'BEGIN { print us / 1e6 }')"
    stop KILL
    stop_writer
    [ -z "$(find "$work/kill" -type f ! -name dump.tevent ! -name dump.rdb)" ] || halves=$((halves + 1))
    start kill
    loaded || { wrong "round $round"; break; }
    write_from $((now + 1))
done
check "killed $((round - 1)) times, $halves in the middle of a file; each time all was there, of one generation" [ $round -gt "$rounds" ]
check "the middle was met often enough to mean anything" [ $((5 * halves)) -ge "$rounds" ]
echo "the last snapshot took $((longest / 1000)) ms, and was of generation $floor"
stop_writer
stop KILL
start kill
check "of files that were not finished none is left" [ "$(find "$work/kill" -type f | wc -l)" = 1 ]
exit "$failed"
