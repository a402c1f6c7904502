#!/usr/bin/env bash
# What the loop counts as waits and changes is what the kernel sees, and a turn makes no other system call, in a forked child
# neither: by strace.
. "$(dirname "$0")/lib.sh"
need strace strace

trace=$(mktemp)
trap 'rm -f "$trace"' EXIT

# built NAME: the path of a test program.
built() {
    local program
    program=$(cargo test --locked --test "$1" --no-run --message-format=json 2>/dev/null |
        sed -n "s/.*\"executable\":\"\([^\"]*\/$1-[^\"]*\)\".*/\1/p" | tail -n 1)
    [ -x "$program" ] || { echo "no test program $1 was built" >&2; exit 1; }
    echo "$program"
}

# traced PROGRAM ARGUMENTS...: runs it under strace and says what it has counted.
traced() { strace -f -o "$trace" "$@" | grep -o 'counted: .*'; }

# From the first wait to the last: the turns alone.
between_waits() { sed -n '/epoll_wait(/,$p' | tac | sed -n '/epoll_wait(/,$p'; }
waits() { grep -c 'epoll_wait(' || true; }
others() { grep -vcE 'epoll_wait\(|recvfrom\(|read\(' || true; }

say "system calls, by strace"
test=$(built system_calls)
counted=$(traced "$test" --exact counts_for_strace --nocapture --test-threads 1)
turns=$(between_waits <"$trace")
waits=$(waits <<<"$turns")
changes=$(grep -c 'epoll_ctl(' "$trace" || true)
others=$(others <<<"$turns")
echo "$counted"
echo "strace:  $waits waits, $changes changes; others between the waits: $others"
[ "$counted" = "counted: $waits waits, $changes changes" ] && [ "$others" = 0 ]

# The child's first turn makes the kernel object anew; from its first wait on a turn costs what the parent's did.
say "system calls of a forked child, by strace"
test=$(built fork)
counted=$(traced "$test" counts_for_strace)
parent=$(head -n 1 "$trace" | cut -d ' ' -f 1)
of_parent=$(grep "^$parent " "$trace" | between_waits)
of_child=$(grep -v "^$parent " "$trace" | between_waits)
seen="counted: $(waits <<<"$of_parent") and $(waits <<<"$of_child") waits"
others="$(others <<<"$of_parent") and $(others <<<"$of_child")"
echo "$counted"
echo "strace:  ${seen#counted: }; others between the waits: $others"
[ "$counted" = "$seen" ] && [ "$others" = "0 and 0" ]
