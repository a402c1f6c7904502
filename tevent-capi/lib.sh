# Sourced by the scripts here: strict mode, the workspace as the working directory, and what they share.
from=$PWD
. "$(dirname "${BASH_SOURCE[0]}")/../ci/lib.sh"

here=$PWD/tevent-capi
target=${CARGO_TARGET_DIR:-$PWD/target}
failed=0

ok() { printf 'ok: %s\n' "$*"; }
fail() {
    printf 'FAILED: %s\n' "$*"
    failed=1
}

# need_file FILE PACKAGE: as `need`, for what is no command.
need_file() {
    [ -e "$1" ] && return
    say "installing $2"
    apt-get update -q && apt-get install -qy --no-install-recommends "$2"
}

# usage TEXT: the end of a script that was given what it does not take.
usage() {
    echo "usage: $0${1:+ $1}" >&2
    exit 2
}

need_to_build() {
    need gcc gcc
    need_file /usr/include/talloc.h libtalloc-dev
    need_file /usr/include/tevent.h libtevent-dev
}

# Builds the library; `ours PROGRAM …` runs a program on it, under a time limit.
build() {
    built=$("$here/build.sh")
    lib=$(dirname "$built")
}
ours() { LD_LIBRARY_PATH=$lib timeout 120 "$@"; }
