#!/usr/bin/env bash
# What clients may not do, and that nobody else notices: too many of them, arguments that are too large, malformed requests, no
# reading, and silence. Memory stays bounded all the while.
. "$(dirname "$0")/lib.sh"

# is_within KIB: whether memory is no more than that above `before`.
is_within() { [ "$(resident)" -le $((before + $1)) ]; }

peak_begins() {
    before=$(resident)
    echo 5 >"/proc/$id/clear_refs"
}
peak() { echo $(($(awk '/^VmHWM:/ { print $2 }' "/proc/$id/status") - before)); } # KiB more than `before`

well_ended() {
    stop TERM
    check "the server ends well" [ "$code" = 0 ]
}

too_many_clients() {
    local fds=() fd i reply
    start clients --max-clients 20
    for ((i = 0; i < 20; i++)); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$port"
        fds+=("$fd")
        ask "$fd" PING
    done
    reply=$(talk '' | tr -d '\r')
    check "client 21 of 20: $reply" [ "$reply" = "-ERR max number of clients reached" ]
    reply=$(for ((i = 0; i < 200; i++)); do talk ''; done | sort | uniq -c | tr -d '\r')
    check "200 more, each told and closed" [ "$(echo $reply)" = "200 -ERR max number of clients reached" ]
    check "the 20 are served" ask "${fds[7]}" PING
    fd=${fds[3]}
    exec {fd}>&-
    check "when one goes another is let in" eventually 5 may_come_in
    for fd in "${fds[@]}"; do exec {fd}>&-; done
    check "when all are gone connected_clients is 1" eventually 5 is connected_clients 1
    well_ended
}
may_come_in() { [ "$(cli PING 2>&1)" = PONG ]; }

# ask FD INLINE-COMMAND: leaves the first line of what is said to it in `reply`; fails on an error.
ask() {
    reply=
    echo "$2" >&"$1" && read -r -t 10 reply <&"$1" && [ "${reply:0:1}" != - ]
}

oversized_argument() {
    local fds=() fd i reply
    start oversized --max-clients 300
    head -c 1048576 /dev/zero | tr '\0' v >"$work/argument"
    cli -x SET largest <"$work/argument" >"$work/reply"
    check "an argument of 1 MiB is taken" [ "$(cat "$work/reply")" = OK ]
    check "and comes back" [ "$(cli GET largest | wc -c)" = 1048577 ]
    reply=$(talk '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n\c' | tr -d '\r')
    check "of one byte more: $reply" [ "$reply" = "-ERR Protocol error: invalid bulk length" ]
    check "it has set nothing" [ "$(cli EXISTS k)" = 0 ]
    before=$(resident)
    for ((i = 0; i < 200; i++)); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$port"
        fds+=("$fd")
        printf '*1000\r\n$1000000\r\nabc' >&"$fd"
    done
    check "200 clients that promise a gigabyte each are there" eventually 5 is connected_clients 201
    check "memory for them: $(($(resident) - before)) KiB, at most 65536" is_within 65536
    for fd in "${fds[@]}"; do exec {fd}>&-; done
    # Arguments each of which is small enough, without end.
    printf '*100\r\n$4\r\nMGET\r\n' >"$work/endless"
    for ((i = 0; i < 99; i++)); do printf '$1048576\r\n%s\r\n' "$(cat "$work/argument")"; done >>"$work/endless"
    peak_begins
    for ((i = 0; i < 5; i++)); do
        timeout 20 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"; cat "$2" >&3; read -r <&3' - "$port" "$work/endless" 2>/dev/null || true
    done
    check "memory during requests of 99 MiB: $(peak) KiB more, at most 32768" [ "$(peak)" -le 32768 ]
    well_ended
}

malformed_requests() {
    local line round
    start malformed --max-clients 100
    for round in 1 2 3 4; do
        sed -n '/^# Malformed/,$p' ci/daemon/sessions/wire.txt | grep -v -e '^#' -e '^$' >"$work/lines"
        while IFS= read -r line; do
            talk "$line\r\nQUIT\r\n" >"$work/reply" || wrong "stays open after $line"
            grep -q '^-ERR Protocol error' "$work/reply" || wrong "no error after $line"
        done <"$work/lines"
        head -c 100000 /dev/urandom >"$work/random"
        timeout 10 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"; cat "$2" >&3' - "$port" "$work/random" 2>/dev/null || true
        [ "$round" != 1 ] || before=$(resident)
    done
    check "malformed requests, $(wc -l <"$work/lines") of them, and noise, 4 times: the others are served" may_come_in
    check "connected_clients is 1" eventually 5 is connected_clients 1
    check "memory is within 4 MiB of what it was after the first time" is_within 4096
    well_ended
}

# Asks for 2 GiB and reads none of it. What the kernel keeps for the socket is not the daemon's memory.
no_reading() {
    local reader
    start reading --max-clients 100 --idle-timeout 3
    head -c 1048576 /dev/zero | tr '\0' v | cli -x SET large >"$work/reply"
    peak_begins
    timeout 60 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"; for _ in {1..2000}; do echo "GET large"; done >&3; sleep 60' - "$port" &
    reader=$!
    check "a client that asks and does not read is there" eventually 5 is connected_clients 2
    check "the others are served" eventually 2 may_come_in
    check "it is closed in the end" eventually 30 is connected_clients 1
    check "memory meanwhile: $(peak) KiB more, at most 65536" [ "$(peak)" -le 65536 ]
    check "memory afterwards is within 8 MiB" eventually 10 is_within 8192
    kill "$reader" 2>/dev/null || true # by timeout, its child too
    wait "$reader" 2>/dev/null || true
    well_ended
}

silence() {
    local from
    start silence --max-clients 100 --idle-timeout 1
    from=${EPOCHREALTIME/./}
    talk '\c' >"$work/reply"
    check "a silent client is closed after its second, without a word" [ ! -s "$work/reply" ]
    check "not before" [ $((${EPOCHREALTIME/./} - from)) -ge 900000 ]
    talk 'PING\r\nSET k \c' >"$work/reply"
    check "so is one in the middle of a request" [ "$(tr -d '\r' <"$work/reply")" = +PONG ]
    # One that asks again and again for longer than that stays.
    (for _ in {1..25}; do echo PING && sleep 0.1; done) | cli >"$work/reply"
    check "one that asks each tenth of a second stays" [ "$(sort "$work/reply" | uniq -c | awk '{ print $1, $2 }')" = "25 PONG" ]
    check "connected_clients is 1" eventually 5 is connected_clients 1
    well_ended
    start patience --max-clients 100 --idle-timeout 0
    exec 5<>"/dev/tcp/127.0.0.1/$port"
    sleep 1.5
    check "with 0 none is" ask 5 PING
    exec 5>&-
    well_ended
}

for limit in too_many_clients oversized_argument malformed_requests no_reading silence; do
    say "$limit"
    "$limit"
done
exit "$failed"
