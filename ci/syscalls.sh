#!/usr/bin/env bash
# What the loop counts as waits and changes is what the kernel sees, and a turn makes no other system call: by strace.
. "$(dirname "$0")/lib.sh"
need strace strace

say "system calls, by strace"
test=$(cargo test --locked --test system_calls --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*system_calls[^"]*\)".*/\1/p' | tail -n 1)
[ -x "$test" ] || { echo "no test program system_calls was built" >&2; exit 1; }

trace=$(mktemp)
trap 'rm -f "$trace"' EXIT
counted=$(strace -f -o "$trace" "$test" --exact counts_for_strace --nocapture --test-threads 1 | grep -o 'counted: .*')
# From the first wait to the last: the turns alone.
turns=$(sed -n '/epoll_wait(/,$p' "$trace" | tac | sed -n '/epoll_wait(/,$p')
waits=$(grep -c 'epoll_wait(' <<<"$turns" || true)
changes=$(grep -c 'epoll_ctl(' "$trace" || true)
others=$(grep -vcE 'epoll_wait\(|recvfrom\(|read\(' <<<"$turns" || true)
echo "$counted"
echo "strace:  $waits waits, $changes changes; others between the waits: $others"
[ "$counted" = "counted: $waits waits, $changes changes" ] && [ "$others" = 0 ]
