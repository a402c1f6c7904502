#!/usr/bin/env bash
# Makes libtevent.so.0 and its pkg-config file, in target/capi or in the directory that is given, and prints its path. Of the C
# library it needs the public header, and talloc.
. "$(dirname "$0")/lib.sh"
case $#:${1:-} in 0: | 1:[!-]*) ;; *) usage "[DIRECTORY]" ;; esac
need_to_build >&2

version=0.17.0
# A directory is named from where the caller stands.
out=$(cd "$from" && mkdir -p "${1:-$target/capi}" && cd "${1:-$target/capi}" && pwd)

# One library for all of a program's C code is worth a slow build: the whole of it is optimised as one.
cargo build --quiet --locked --profile capi -p tevent-capi
variadic=$target/capi/variadic.o
gcc -c -O2 -fPIC -Wall -Wextra -Werror -o "$variadic" "$here/c/variadic.c"

# Not a cdylib: under rustc's default linker that loses the version nodes.
gcc -shared -o "$out/libtevent.so.$version" -Wl,-soname,libtevent.so.0 \
    -Wl,--version-script="$here/libtevent.map" -Wl,--no-undefined-version -Wl,-z,defs -Wl,--gc-sections -Wl,-O1 \
    -Wl,--whole-archive "$target/capi/libtevent_capi.a" -Wl,--no-whole-archive "$variadic" \
    -ltalloc -lpthread -ldl -lm -lgcc_s -lc
ln -sf "libtevent.so.$version" "$out/libtevent.so.0"
ln -sf libtevent.so.0 "$out/libtevent.so"

cat > "$out/tevent.pc" <<PC
libdir=$out

Name: tevent
Description: tevent's C library, over the Rust loop
Version: $version
Requires: talloc
Libs: -L\${libdir} -ltevent
PC
echo "$out/libtevent.so.0"
