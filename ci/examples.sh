#!/usr/bin/env bash
# Runs the examples as a person would, and compares what they print with what is expected.
# What varies from run to run is masked: `#` stands for a number.
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

socket_writer
# The other examples have their place here: a function each, called by its name.

exit "$failed"
