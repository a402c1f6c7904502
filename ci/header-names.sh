#!/usr/bin/env bash
# The names of the C header, as tests/c_map/names.txt lists them for tests/porting_map.rs, are those that the installed
# header gives. `--write` takes them over. The sections from [newer] on are kept by hand and left alone.
. "$(dirname "$0")/lib.sh"

list=tests/c_map/names.txt
header=${TEVENT_HEADER:-/usr/include/tevent.h}
if [ ! -e "$header" ]; then
    say "installing libtevent-dev"
    apt-get update -q
    apt-get install -qy --no-install-recommends libtevent-dev
fi

say "the names of $header"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
awk -f ci/header-names.awk "$header" >"$work/names"
{
    sed '/^$/q' "$list" # what the list says of itself
    for kind in function macro enum constant struct handler expansion deprecated compat; do
        grep -q "^$kind " "$work/names" || { echo "the header declares no $kind" >&2; exit 1; }
        echo "[$kind]"
        sed -n "s/^$kind //p" "$work/names" | LC_ALL=C sort
        echo
    done
    sed -n '/^\[newer\]$/,$p' "$list"
} >"$work/list"

if [ "${1-}" = --write ]; then
    cp "$work/list" "$list"
elif ! diff -u --label "$list" --label "what the header gives" "$list" "$work/list"; then
    echo "$list is not what $header declares: ci/header-names.sh --write" >&2
    exit 1
fi
grep -c '^[^[#]' "$list" | sed 's/$/ names/'
