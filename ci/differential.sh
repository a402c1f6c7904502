#!/usr/bin/env bash
# The C library as judge: the same random scenarios on both, and their traces must be equal. See differential/README.md.
# SEEDS=A..B draws others than the usual ones.
. "$(dirname "$0")/lib.sh"

seeds=${SEEDS:-0..40000}

need cc gcc
if [ ! -e /usr/include/tevent.h ] || [ ! -e /usr/include/talloc.h ]; then
    say "installing libtevent-dev and libtalloc-dev"
    apt-get update -q
    apt-get install -qy --no-install-recommends libtevent-dev libtalloc-dev libc6-dev
fi

say "the C driver, on libtevent $(dpkg-query -W -f '${Version}' libtevent-dev)"
target=${CARGO_TARGET_DIR:-target}
built=$target/differential
mkdir -p "$built"
flags=(-std=gnu11 -O1 -g -Wall -Wextra -Werror)
sources=()
for source in differential/c/*.c; do
    [ "$source" = differential/c/virtual_time.c ] || sources+=("$source")
done
cc "${flags[@]}" "${sources[@]}" -o "$built/c-driver" -ltevent -ltalloc
cc "${flags[@]}" -shared -fPIC differential/c/virtual_time.c -o "$built/virtual_time.so"

say "the Rust driver"
cargo build --release --locked --package tevent-differential
judge=$target/release/tevent-differential

say "what failed once"
failed=0
"$judge" replay differential/regressions --c-driver "$built/c-driver" || failed=1

say "random scenarios, seeds $seeds"
"$judge" compare --seeds "$seeds" --c-driver "$built/c-driver" || failed=1

exit "$failed"
