#!/usr/bin/env bash
# SIGTERM and SIGINT: what has arrived is answered, a snapshot is written, the exit code is 0. SIGHUP prints statistics.
. "$(dirname "$0")/lib.sh"
[ "$SUBJECT" = daemon ] || { echo "this part is about what the daemon promises, not redis-server"; exit 2; }

has_key() { [ "$(cli EXISTS "$1")" = 1 ]; }

start signals --unix "$work/socket"
said=$(wc -c <"$work/signals.err")
kill -HUP "$id"
has_more() { [ "$(wc -c <"$work/signals.err")" -gt "$said" ]; }
check "SIGHUP prints statistics" eventually 5 has_more
check "such as connected_clients" grep -q '^.*connected_clients' "$work/signals.err"
check "and the daemon goes on" [ "$(cli PING)" = PONG ]

count=0
for signal in TERM INT; do
    # Clients that are in the middle of something do not hold it up: one idle, one with half a request, one that does not read.
    exec 5<>"/dev/tcp/127.0.0.1/$port" 6<>"/dev/tcp/127.0.0.1/$port" 7<>"/dev/tcp/127.0.0.1/$port"
    printf 'PING\r\n*2\r\n$3\r\nGET\r\n$5\r\nab' >&6
    read -r -t 5 reply <&6
    head -c 1000000 /dev/zero | tr '\0' v | cli -x SET large >"$work/reply"
    for _ in {1..100}; do echo "GET large"; done >&7
    eventually 5 is connected_clients 4 || wrong "three clients are there"
    # Very many requests, and the signal as soon as the first is answered. What is answered is in the snapshot.
    awk -v s=$signal 'BEGIN { for (i = 1; i <= 200000; i++) printf "SET %s:%d %d\r\nINCR %s:n\r\n", s, i, i, s }' >"$work/bytes"
    timeout 20 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"; cat "$2" >&3 & read -r <&3; kill "-$3" "$4"; cat <&3 || true' \
        - "$port" "$work/bytes" "$signal" "$id" >"$work/replies" 2>/dev/null
    code=0
    from=$SECONDS
    wait "$id" || code=$?
    unset "servers[$id]"
    check "$signal: the exit code is 0" [ $code = 0 ]
    check "$signal: clients that do not read hold it up for $((SECONDS - from)) s, at most 15" [ $((SECONDS - from)) -le 15 ]
    check "$signal: clients see the end" [ "$(timeout 5 cat <&5; echo $?)" = 0 ]
    check "$signal: the unix socket's file is gone" [ ! -e "$work/socket" ]
    exec 5>&- 6>&- 7>&-
    answered=$(grep -c '^:' "$work/replies")
    start signals --unix "$work/socket"
    count=$(cli GET $signal:n)
    check "$signal: of 200000 $answered were answered, and are in the snapshot with its $count" [ "$answered" -le "$count" ]
    check "$signal: it came in the middle" [ "$count" -lt 200000 ]
    check "$signal: their keys are there" has_key "$signal:$count"
done

# A snapshot on its way, and another for what has changed since.
awk 'BEGIN { for (i = 0; i < 20000; i++) printf "SET key:%d %01024d\r\n", i, i }' | cli --pipe >"$work/reply"
printf 'BGSAVE\nSET after BGSAVE\n' | cli >"$work/reply"
stop TERM
check "in the middle of a snapshot: the exit code is 0" [ $code = 0 ]
start signals
check "what came after that has been saved too" has_key after

# Whatever was taken loads again: times at the edge of what a number holds, and keys and values of any bytes.
cli FLUSHALL >"$work/reply"
for unit in EX PX; do
    for time in 1000000 9223372036 9223372036854775 9223372036854775000 9223372036854775807; do
        cli SET "$unit:$time" 1 $unit $time >"$work/reply"
    done
done
printf '%s\n' 'SET "" ""' 'SET "\x00\xff" "\r\n$3\r\n*1\r\n"' 'SELECT 15' 'SET fifteen 15' 'SELECT 0' | cli >"$work/reply"
# In any order, and without what a second does to them.
taken() { { cli KEYS '*' | sort && cli -n 15 GET fifteen && cli GET '' && cli DBSIZE; } | md5sum; }
was=$(taken)
stop TERM
check "with keys and times of all kinds: the exit code is 0" [ $code = 0 ]
start signals
check "whatever was taken loads again" [ "$(taken)" = "$was" ]
stop TERM
exit "$failed"
