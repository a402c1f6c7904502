#!/usr/bin/env bash
# Builds the library and runs C programs on it: our own ones, which have to print the same as on the C library, and Samba's
# own tests of tevent.
. "$(dirname "$0")/lib.sh"
[ $# = 0 ] || usage
need_to_build
need smbtorture samba-testsuite
need valgrind valgrind
build
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
theirs() { timeout 120 "$@"; }

# Which library a program really loads.
loads() { LD_DEBUG=libs "$@" 2>&1 | sed -n 's/.*calling init: \(.*libtevent\.so\.0\)$/\1/p' | head -1; }

for source in "$here"/tests/*.c; do
    name=$(basename "$source" .c)
    # The newer functions are not in the installed library: the program is linked with ours, and compared with a file.
    only_ours=$([ -e "$here/tests/$name.out" ] && echo yes || echo no)
    from=$([ "$only_ours" = yes ] && echo "-L$lib" || echo "")
    # shellcheck disable=SC2086 # no -L at all where there is none
    (cd "$here/tests" && # so that places in it read as plain names
        gcc -Wall -Wno-unused -Wno-deprecated-declarations -g -o "$work/$name" "$name.c" $from -ltevent -ltalloc -lpthread)
    ours "$work/$name" >"$work/$name.ours" 2>&1 || fail "$name ended with $?"
    if [ "$only_ours" = yes ]; then
        cp "$here/tests/$name.out" "$work/$name.theirs"
    else
        theirs "$work/$name" >"$work/$name.theirs" 2>&1 || fail "$name on the C library ended with $?"
        [ "$(LD_LIBRARY_PATH=$lib loads "$work/$name")" = "$lib/libtevent.so.0" ] ||
            fail "$name has not loaded $lib/libtevent.so.0"
    fi
    if diff -u --label "the C library" --label ours "$work/$name.theirs" "$work/$name.ours"; then
        ok "$name, $(wc -l <"$work/$name.ours") lines the same"
    else
        fail "$name prints something else"
    fi
    # Nothing is used after it was freed, and nothing lost.
    ours valgrind --quiet --trace-children=no --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
        --error-exitcode=1 "$work/$name" >/dev/null 2>"$work/valgrind" || {
        fail "$name under valgrind"
        cat "$work/valgrind"
    }
done

# Samba's own.
for suite in local.event:25 local.tevent_req:3; do
    name=${suite%:*} wanted=${suite#*:}
    ours smbtorture -s /dev/null ncalrpc: "$name" >"$work/torture" 2>&1 || fail "smbtorture $name ended with $?"
    got=$(grep -c '^success:' "$work/torture" || true)
    if [ "$got" = "$wanted" ]; then ok "smbtorture $name, $got of $wanted"; else
        fail "smbtorture $name: $got of $wanted"
        tail -20 "$work/torture"
    fi
done
exit "$failed"
