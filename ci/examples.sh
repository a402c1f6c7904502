#!/usr/bin/env bash
# Runs those examples whose output varies as a person would, and compares what they print with what is expected: `#` stands for
# a number that varies. The others say at their head what they print, and tests/examples.rs holds them to it.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0

# same NAME EXPECTED ACTUAL
same() {
    if diff -u --label "$1: expected" --label "$1: actual" <(printf '%s\n' "$2") <(printf '%s\n' "$3"); then
        echo "ok      $1"
    else
        echo "FAILED  $1"
        failed=1
    fi
}

# run EXAMPLE ARGS...: leaves what it printed in `out` and its exit code in `code`
run() {
    local example=$1
    shift
    code=0
    out=$(cargo run --quiet --release --example "$example" -- "$@") || code=$?
}

# mask ROW...: the values of these rows of the table, and the spaces that align the rest
mask() {
    local rows
    rows=$(IFS='|'; echo "$*")
    sed -E "s~^($rows) +[0-9][0-9.,]*( s)?\$~\1 #\2~; s~ {2,}~ ~"
}

socket_writer() {
    run socket_writer
    same "socket_writer: exit code" 0 "$code"
    # Sizes and payloads come from the seed, so bytes and digest never change.
    same "socket_writer: table" "\
frames 512
bytes 284,509,231
partial writes #
longest queue 8
time # s
MB/s #
torn frames 0
out of order 0
digest 835f8406cc45b4db" "$(mask 'partial writes' time MB/s <<<"$out")"

    run socket_writer --no-queue 2>/dev/null
    same "socket_writer --no-queue: exit code" 1 "$code"
    same "socket_writer --no-queue: torn frames are told" 1 "$(grep -cE '^torn frames +[1-9]' <<<"$out")"

    run socket_writer --writers 1000 --messages 100000 --size 64
    same "socket_writer, 1000 writers: exit code" 0 "$code"
    same "socket_writer, 1000 writers: longest queue" 1 "$(grep -cE '^longest queue +1,000$' <<<"$out")"
}

# Two clients, one after the other, by bash's own /dev/tcp.
echo_server() {
    local log address text
    cargo build --quiet --release --example echo_server
    log=$(mktemp)
    "${CARGO_TARGET_DIR:-target}/release/examples/echo_server" --clients 2 >"$log" &
    local server=$!
    until address=$(sed -n 's/^listening on //p' "$log") && [ -n "$address" ]; do
        kill -0 "$server" # it has died: fail
    done
    for text in hello world; do
        exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
        echo "$text" >&3
        read -r reply <&3
        same "echo_server: echoes" "$text" "$reply"
        exec 3>&-
    done
    code=0
    wait "$server" || code=$?
    same "echo_server: exit code" 0 "$code"
    same "echo_server: counts" "2 clients served, 0 lost, 12 bytes echoed" "$(tail -n 1 "$log")"
    rm -f "$log"
}

socket_writer
echo_server

exit "$failed"
