#!/usr/bin/env bash
# Samba's own programs on the library, unmodified: its tests of what stands on tevent, the ldb tools, and a file server with its
# clients. `clients.sh PART...` runs some of: torture ldb smbd; without arguments all. Installs what is missing, if it may.
#
# What was loaded is read off every process of every run (LD_DEBUG=libs): a program that has not loaded the library that it was
# to run on fails its part.
. "$(dirname "$0")/lib.sh"

parts=("$@")
[ $# -gt 0 ] || parts=(torture ldb smbd)
for part in "${parts[@]}"; do
    case $part in torture | ldb | smbd) ;; *) usage "[torture] [ldb] [smbd]" ;; esac
done

PATH=$PATH:/usr/sbin
need_to_build
need smbtorture samba-testsuite
need ldbadd ldb-tools
need smbd samba
need smbclient smbclient
build
work=$(mktemp -d)
smbd= # the server, which leads its session

end_smbd() {
    [ -z "$smbd" ] || pkill -KILL --session "$smbd" || true
    smbd=
}
trap 'end_smbd; rm -rf "$work"' EXIT

# shown FILE: what a program said before it failed.
shown() { tail -n 25 "$1" | sed 's/^/    /'; }

# use ours|theirs: what this shell runs from now on is on that library, and the linker reports of each process.
use() {
    export LD_LIBRARY_PATH LD_DEBUG=libs LD_DEBUG_OUTPUT=$work/loaded.$1
    LD_LIBRARY_PATH=$([ "$1" = theirs ] || echo "$lib")
}

# on ours|theirs COMMAND...: under a time limit.
on() { (
    use "$1"
    exec timeout --kill-after=10 120 "${@:2}"
); }

# check_loaded ours|theirs WHAT: that what ran on it since the last check has loaded this library, and never the other.
check_loaded() {
    local loaded right=$lib/libtevent.so.0
    [ "$1" = ours ] || right=$(ldd "$(command -v smbd)" | sed -n 's/.*libtevent\.so\.0 => \(.*\) (.*/\1/p')
    loaded=$(cat "$work/loaded.$1".* | sed -n 's/.*calling init: \(.*libtevent\.so\.0\).*/\1/p' | sort -u)
    [ "$loaded" = "$right" ] || fail "$2 was to load $right, and has loaded ${loaded:-none}"
    rm "$work/loaded.$1".*
}

# configuration DIRECTORY: all that Samba keeps, in directories of its own. Prints the file's name.
configuration() {
    local name
    mkdir -p "$1"
    {
        echo "[global]"
        for name in "private dir" "lock directory" "state directory" "cache directory" "pid directory" "ncalrpc dir" \
            "binddns dir"; do
            mkdir -p "$1/${name%% *}"
            echo "$name = $1/${name%% *}"
        done
    } >"$1/smb.conf"
    echo "$1/smb.conf"
}

torture() { # NAME SUCCESSES CONFIGURATION
    local out=$work/torture successes status=0
    on ours smbtorture -s "$3" ncalrpc: "$1" >"$out" 2>&1 || status=$?
    check_loaded ours "smbtorture $1"
    successes=$(grep -c '^success:' "$out" || true)
    if [ "$status" = 0 ] && [ "$successes" = "$2" ] && ! grep -qE '^(failure|error|skip):' "$out"; then
        ok "smbtorture $1, $successes of $2"
    else
        fail "smbtorture $1 ended with $status, $successes of $2"
        shown "$out"
    fi
}

part_torture() {
    local private
    torture local.event 25 /dev/null
    torture local.tevent_req 3 /dev/null
    private=$(configuration "$work/torture.d")
    torture local.messaging 4 "$private"
    torture local.irpc 7 "$private"
    torture local.tfork 11 "$private"
}

# What the ldb tools say to a new database and records that are sound, already there, and not there.
ldb_session() { # ours|theirs DIRECTORY
    local on=$1
    (
        cd "$2"
        ldb() { # TOOL ARGUMENTS..., its records from standard input
            echo "\$ $*"
            local tool=$1 status=0
            shift
            on "$on" "$tool" -H tdb://records.ldb "$@" 2>&1 || status=$?
            echo "ended with $status"
        }
        for i in $(seq 200); do
            printf 'dn: cn=user%d,dc=test\nobjectClass: person\ncn: user%d\ndescription: number %d\n\n' "$i" "$i" "$i"
        done | ldb ldbadd
        printf 'dn: cn=user7,dc=test\nobjectClass: person\n' | ldb ldbadd
        ldb ldbsearch </dev/null
        ldb ldbsearch -b dc=test '(|(cn=user1*)(description=number 42))' cn </dev/null
        ldb ldbsearch '(cn=nobody)' </dev/null
        ldb ldbsearch '((' </dev/null
        printf 'dn: cn=user3,dc=test\nchangetype: modify\nreplace: description\ndescription: another\n-\nadd: sn\nsn: Three\n' |
            ldb ldbmodify
        printf 'dn: cn=user0,dc=test\nchangetype: modify\nadd: sn\nsn: None\n' | ldb ldbmodify
        ldb ldbsearch '(sn=*)' </dev/null
        ldb ldbdel cn=user1,dc=test cn=user2,dc=test </dev/null
        ldb ldbdel cn=user1,dc=test </dev/null
        ldb ldbsearch --sorted '(cn=user1*)' cn </dev/null
    ) >"$work/ldb.$1" 2>&1
}

part_ldb() {
    local library
    for library in ours theirs; do
        mkdir -p "$work/ldb.d/$library"
        ldb_session "$library" "$work/ldb.d/$library"
        check_loaded "$library" "the ldb tools"
    done
    # Not the same complaint twice.
    grep -qx 'Added 200 records successfully' "$work/ldb.ours" || fail "ldbadd has not added the records"
    grep -qx '# 110 entries' "$work/ldb.ours" || fail "ldbsearch has not found what was left"
    if diff -u --label "the C library" --label ours "$work/ldb.theirs" "$work/ldb.ours"; then
        ok "the ldb tools, $(wc -l <"$work/ldb.ours") lines the same"
    else
        fail "the ldb tools say something else"
    fi
}

# heard TEXT: waits until the server has said so.
heard() {
    grep -q --text -e "$1" <(timeout 60 tail --pid="$smbd" -s 0.1 -n +1 -f "$work/smbd/log")
}

# start_smbd ours|theirs: a server with one share for guests, on a port that is free.
start_smbd() {
    local attempt
    rm -rf "$work/smbd"
    configuration "$work/smbd" >/dev/null
    share=$work/smbd/share
    mkdir "$share"
    cat >>"$work/smbd/smb.conf" <<CONF
interfaces = lo
bind interfaces only = yes
server role = standalone server
map to guest = bad user
load printers = no
disable spoolss = yes
[files]
path = $share
guest ok = yes
read only = no
force user = $(id -un)
CONF
    chmod 755 "$work" "$work/smbd"
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 10000))
        (
            use "$1"
            exec setsid smbd --foreground --no-process-group --debug-stdout -d 2 -s "$work/smbd/smb.conf" -p "$port"
        ) >"$work/smbd/log" 2>&1 </dev/null &
        smbd=$!
        # Or it has gone.
        if heard 'waiting for connections'; then
            return
        fi
        echo "smbd has not started on port $port, attempt $attempt"
        end_smbd
    done
    fail "smbd on $1 does not start"
    shown "$work/smbd/log"
    return 1
}

# client ours|theirs ARGUMENTS...: on the share.
client() { on "$1" smbclient -s "$work/smbd/smb.conf" -N -p "$port" //127.0.0.1/files "${@:2}"; }

# transfer ours|theirs NAME FILE...: puts each file, under that name, and gets it back: what lies on the server and what comes
# back are the same.
transfer() {
    local library=$1 name=$2 file commands="lcd $files" status=0
    shift 2
    for file in "$@"; do
        commands+="; put $file $name.$file; get $name.$file $name.$file"
    done
    client "$library" -c "$commands" >"$files/$name.said" 2>&1 || status=$?
    for file in "$@"; do
        if ! cmp "$files/$file" "$share/$name.$file" || ! cmp "$files/$file" "$files/$name.$file"; then status="wrong files"; fi
    done
    rm -f "$files/$name".*[!d] "$share/$name".*
    [ "$status" = 0 ] && return
    echo "client $name ended with $status"
    shown "$files/$name.said"
    return 1
}

# stop_smbd: SIGTERM ends it, and all that it has started.
stop_smbd() {
    local status=0 process
    local -a family
    mapfile -t family < <(pgrep --session "$smbd")
    kill -TERM "$smbd"
    wait "$smbd" || status=$?
    # When it has cleaned up it ends itself by the signal, on the C library too.
    [ "$status" = 143 ] || fail "smbd ended with $status"
    for process in "${family[@]}"; do
        timeout 20 tail --pid="$process" -s 0.1 -f /dev/null || fail "process $process of smbd is still there"
    done
    [ ! -e "$work/smbd/pid/smbd.pid" ] || fail "smbd has left its pid file"
    if grep --text 'INTERNAL ERROR\|PANIC\|abort' "$work/smbd/log"; then
        fail "smbd has complained"
        shown "$work/smbd/log"
    fi
    smbd=
}

part_smbd() {
    local pair server library i stays commands
    local -a eight
    files=$work/files
    mkdir -p "$files"
    : >"$files/empty"
    head -c 1 /dev/urandom >"$files/byte"
    head -c 65536 /dev/urandom >"$files/64K"
    head -c 50000000 /dev/urandom >"$files/50M"

    for pair in "ours ours" "ours theirs" "theirs ours"; do
        read -r server library <<<"$pair"
        start_smbd "$server" || continue

        transfer "$library" alone empty byte 64K 50M || fail "one client, server on $server, clients on $library"
        eight=()
        for i in 1 2 3 4 5 6 7 8; do
            transfer "$library" "eight$i" 64K 50M byte &
            eight+=($!)
        done
        for i in "${eight[@]}"; do
            wait "$i" || fail "one of eight clients, server on $server, clients on $library"
        done

        # A client stays connected until the server has gone.
        mkfifo "$work/smbd/commands"
        client "$library" <"$work/smbd/commands" >/dev/null 2>&1 &
        stays=$!
        exec {commands}>"$work/smbd/commands"
        echo "put $files/byte stays" >&"$commands"
        heard 'opened file stays' || fail "the client that stays has not connected"
        stop_smbd
        exec {commands}>&-
        wait "$stays" || true

        check_loaded "$server" "the server, or the client,"
        [ "$server" = "$library" ] || check_loaded "$library" "the client"
        ok "a server on $server, clients on $library"
    done
}

for part in "${parts[@]}"; do
    say "$part"
    "part_$part"
done
exit "$failed"
