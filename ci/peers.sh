#!/usr/bin/env bash
# The same workloads on tevent, the C library and their peers, measured in turn: see docs/performance.md. A quarter of an hour; not a
# part of CI, which runs the Rust half with tiny numbers. ROUNDS=, ONLY=workload,workload and PEERS=ours,tevent choose less, BUILD_ONLY=1 only builds.
. "$(dirname "$0")/lib.sh"

need cc gcc
packages=(libtevent-dev libtalloc-dev libevent-dev libev-dev libuv1-dev)
for package in "${packages[@]}"; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
        say "installing ${packages[*]}"
        apt-get update -q
        apt-get install -qy --no-install-recommends "${packages[@]}" libc6-dev
        break
    fi
done

say "the Rust programs"
cargo build --profile peers --locked --package tevent-peers
built=${CARGO_TARGET_DIR:-target}/peers

say "the C programs"
# c_program NAME SOURCES LIBRARIES
c_program() {
    local name=$1 sources=() source
    for source in $2; do
        sources+=("benches/peers/c/$source.c")
    done
    read -ra libraries <<<"$3"
    cc -std=gnu11 -O2 -Wall -Wextra -Werror -fno-strict-aliasing "${sources[@]}" -o "$built/peer-$name" "${libraries[@]}" -pthread
}
c_program tevent "tevent tevent_requests latency harness" "-ltevent -ltalloc"
c_program raw "raw handover latency harness" ""
c_program libevent "libevent latency harness" "-levent_core -levent_pthreads"
c_program libev "libev handover latency harness" "-lev"
c_program libuv "libuv handover latency harness" "-luv"

if [ -n "${BUILD_ONLY:-}" ]; then
    exit 0
fi

options=(--rounds "${ROUNDS:-9}" --table "$built/table.md" --samples "$built/samples.csv")
[ -z "${PEERS:-}" ] || options+=(--peers "$PEERS")
if [ -n "${ONLY:-}" ]; then
    options+=(--only "$ONLY")
else
    options+=(--plot "$built/scaling.svg")
fi

say "the comparison"
commit=$(git describe --always --dirty 2>/dev/null || echo unknown)
report=$built/report.md
{
    echo "Commit $commit, $(rustc --version | cut -d ' ' -f 1-2), $(cc --version | head -n 1); Linux $(uname -r);" \
        "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores."
    dpkg-query -W -f '${Package} ${Version}\n' "${packages[@]}" | paste -sd, | sed 's/,/, /g; s/$/./'
    grep -A 1 -E '^name = "(calloop|mio|tokio)"$' Cargo.lock | sed -n 's/^name = "\(.*\)"$/\1/p; s/^version = "\(.*\)"$/\1/p' |
        paste -sd ' ' | sed 's/$/./'
    echo
} >"$built/head.md"
"$built/compare" "${options[@]}"
cat "$built/head.md" "$built/table.md" >"$report"
say "written: $report, $built/samples.csv"
