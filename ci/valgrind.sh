#!/usr/bin/env bash
# The tests that free everything everywhere, under valgrind: nothing leaks, and nothing is used after it was freed.
. "$(dirname "$0")/lib.sh"

need valgrind valgrind

programs=(freeing_matrix req_tree req_chains)
# Chains that go beyond the bound on the depth of the stack, in the process that valgrind watches. How small a stack
# they fit on is a matter for the test run without valgrind.
export TEVENT_TEST_CHAIN=200 TEVENT_TEST_ON_SMALL_STACK=1 TEVENT_TEST_STACK=4194304
# A backtrace for each expected panic would take most of the time.
export RUST_BACKTRACE=0

built=$(cargo test --locked --no-run "${programs[@]/#/--test=}" 2>&1) || { echo "$built" >&2; exit 1; }
for program in "${programs[@]}"; do
    binary=$(sed -nE "s|.*Executable tests/$program\.rs \((.*)\).*|\1|p" <<<"$built")
    [ -x "$binary" ] || { printf 'no executable for %s in:\n%s\n' "$program" "$built" >&2; exit 1; }
    say "valgrind $program"
    valgrind --quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=1 \
        "$binary" --test-threads=1 --quiet
done
say "valgrind: ${#programs[@]} test programs, no leak and no use of freed memory"
