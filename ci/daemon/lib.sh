# Sourced by the parts of ci/daemon.sh: servers on free ports below one directory, all gone at the end whatever happens.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
: "${SUBJECT:?run ci/daemon.sh}" "${LOAD:?}"

failed=0
work=$(mktemp -d)
declare -A servers=() # by process id; what is still to be ended
mounted=

clean_up() {
    local id
    trap '' INT TERM # timeout sends it twice
    for id in "${!servers[@]}"; do
        kill -9 "$id" 2>/dev/null && wait "$id" 2>/dev/null || true
    done
    [ -z "$mounted" ] || umount --lazy "$mounted"
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' INT TERM

passed() { echo "ok      $*"; }
wrong() {
    echo "FAILED  $*"
    failed=1
}

# check NAME COMMAND...: whether the command succeeds.
check() {
    local name=$1
    shift
    if "$@"; then passed "$name"; else wrong "$name"; fi
}

# eventually SECONDS COMMAND...: waits until the command succeeds.
eventually() {
    local until=$((${EPOCHREALTIME/./} + $1 * 1000000))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/./}" -lt "$until" ] || return 1
        sleep 0.005
    done
}

# Each start leaves `id` and `port`. Standard output and error go to $work/NAME.out and $work/NAME.err, data to $work/NAME.

# start NAME OPTIONS...: the subject, with the daemon's options.
start() {
    if [ "$SUBJECT" = redis ]; then
        # These are none, or a gigabyte, by themselves.
        local options=(--client-output-buffer-limit "normal 32mb 0 0" --client-query-buffer-limit 4mb)
        while [ $# -gt 1 ]; do
            case $2 in
                --max-clients) options+=(--maxclients "$3") ;;
                --unix) options+=(--unixsocket "$3") ;;
                --idle-timeout) options+=(--timeout "$3") ;;
                *) options+=("$2" "$3") ;;
            esac
            set -- "$1" "${@:4}"
        done
        start_redis "$1" "${options[@]}"
        return
    fi
    local name=$1
    shift
    mkdir -p "$work/$name"
    : >"$work/$name.out"
    "${pinned[@]}" "$DAEMON" --port 0 --dir "$work/$name" "$@" >"$work/$name.out" 2>"$work/$name.err" &
    id=$!
    servers[$id]=$name
    eventually 20 is_listening "$id" "$work/$name.out" && kill -0 "$id" 2>/dev/null || ended_early "$name"
    port=$(sed -n 's/^listening on 127\.0\.0\.1://p' "$work/$name.out")
}
pinned=() # what a server is started by, such as taskset

is_listening() {
    kill -0 "$1" 2>/dev/null || return 0 # nothing more to wait for
    grep -q '^listening on 127\.0\.0\.1:[0-9]*$' "$2"
}

# start_redis NAME OPTIONS...: redis-server with the daemon's limits. It cannot choose a port by itself, and the one we choose may be
# taken, so that it is asked who it is.
start_redis() {
    local name=$1
    shift
    mkdir -p "$work/$name"
    for _ in {1..20}; do
        port=$((10000 + SRANDOM % 20000)) # below those that the kernel gives to clients
        "${pinned[@]}" redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work/$name" \
            --proto-max-bulk-len 1mb "$@" >"$work/$name.out" 2>"$work/$name.err" &
        id=$!
        servers[$id]=$name
        if eventually 20 is_redis "$id" && kill -0 "$id" 2>/dev/null; then return; fi
        wait "$id" || true
        unset "servers[$id]"
    done
    ended_early "$name"
}

is_redis() {
    kill -0 "$1" 2>/dev/null || return 0
    [ "$(info process_id 2>/dev/null)" = "$1" ] && [ "$(cli PING)" = PONG ] # it answers INFO before it has loaded
}

ended_early() {
    echo "$1 did not start:"
    cat "$work/$1.out" "$work/$1.err"
    exit 1
}

# stop SIGNAL: ends the server `id`; its exit code is left in `code`.
stop() {
    code=0
    kill "-$1" "$id"
    wait "$id" 2>/dev/null || code=$?
    unset "servers[$id]"
}

cli() { timeout 30 redis-cli -p "$port" "$@"; }

# info FIELD
info() { cli INFO | sed -n "s/\r\$//; s/^$1://p"; }

# saved: how many snapshots are complete since the start. Redis counts them when they begin.
saved() {
    if [ "$SUBJECT" = redis ]; then
        echo $(($(info rdb_saves) - $(info rdb_bgsave_in_progress)))
    else
        info snapshots_saved
    fi
}

# has_saved MORE-THAN
has_saved() { [ "$(saved)" -gt "$1" ]; }

# is INFO-FIELD VALUE
is() { [ "$(info "$1")" = "$2" ]; }

resident() { awk '/^VmRSS:/ { print $2 }' "/proc/$id/status"; } # KiB
files() { find "/proc/$id/fd" -mindepth 1 | wc -l; }

BIG=$(printf '%070000d' 0 | tr 0 x)
# talk BYTES: what the server says to them until it closes, over bash's own /dev/tcp. Fails if it does not close. `BIG` stands for 70000
# times x. They go in one write: bash's printf would make one of each line, and a server that has closed by the second takes its answer
# back.
talk() {
    printf %b "${1//BIG/$BIG}" >"$work/bytes"
    timeout 10 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"; cat "$2" >&3; cat <&3 || true' talk "$port" "$work/bytes" 2>/dev/null
}
