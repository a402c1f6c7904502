#!/usr/bin/env bash
# Runs real programs of Samba's on the library, in a directory of their own: its tests of messaging, irpc and tfork; the ldb tools,
# which have to print the same as on the C library; and smbd with clients that put and get files.
. "$(dirname "$0")/lib.sh"
need_to_build
need smbtorture samba-testsuite
need ldbadd ldb-tools
need smbd samba
need smbclient smbclient
build
work=$(mktemp -d)
smbd=
trap '[ -z "$smbd" ] || kill "$smbd" 2>/dev/null || true; rm -rf "$work"' EXIT
chmod 755 "$work"

# A port that is free, by the kernel's choice.
port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport')
mkdir -p "$work"/{private,lock,state,cache,pid,ncalrpc,binddns,share,in,out}
chmod 777 "$work/share"
cat >"$work/smb.conf" <<CONF
[global]
    netbios name = TEST
    workgroup = TESTGROUP
    server role = standalone server
    private dir = $work/private
    lock directory = $work/lock
    state directory = $work/state
    cache directory = $work/cache
    pid directory = $work/pid
    ncalrpc dir = $work/ncalrpc
    binddns dir = $work/binddns
    log file = $work/log.%m
    interfaces = 127.0.0.1/8
    bind interfaces only = yes
    smb ports = $port
    map to guest = Bad User
    guest account = nobody
    load printers = no
    disable spoolss = yes
    printing = bsd
    printcap name = /dev/null
    usershare path =
[share]
    path = $work/share
    guest ok = yes
    read only = no
CONF

for suite in local.messaging local.irpc local.tfork; do
    if ours smbtorture -s "$work/smb.conf" ncalrpc: "$suite" >"$work/torture" 2>&1; then
        ok "smbtorture $suite, $(grep -c '^success:' "$work/torture")"
    else
        fail "smbtorture $suite"
        tail -20 "$work/torture"
    fi
done

cat >"$work/two.ldif" <<LDIF
dn: cn=one,dc=test
objectClass: person
cn: one
sn: First

dn: cn=two,dc=test
objectClass: person
cn: two
sn: Second
LDIF
printf 'dn: cn=one,dc=test\nchangetype: modify\nreplace: sn\nsn: Changed\n' >"$work/change.ldif"
# databases PREFIX: all of the tools, on a new database.
databases() {
    local url="tdb://$work/test.ldb"
    rm -f "$work/test.ldb"
    "$@" ldbadd -H "$url" "$work/two.ldif"
    "$@" ldbsearch -H "$url" '(cn=*)'
    "$@" ldbmodify -H "$url" "$work/change.ldif"
    "$@" ldbdel -H "$url" cn=two,dc=test
    "$@" ldbsearch -H "$url" -S sn
    "$@" ldbdel -H "$url" cn=nobody,dc=test || echo refused
}
databases timeout 120 >"$work/ldb.theirs" 2>&1
databases ours >"$work/ldb.ours" 2>&1
if diff -u "$work/ldb.theirs" "$work/ldb.ours"; then ok "ldb tools"; else fail "the ldb tools print something else"; fi

# smbd.
LD_LIBRARY_PATH=$lib setsid smbd -F --no-process-group -s "$work/smb.conf" -l "$work" >"$work/smbd.out" 2>&1 &
smbd=$!
client() { timeout 120 smbclient //127.0.0.1/share -p "$port" -N -s "$work/smb.conf" -c "$1" >>"$work/client.log" 2>&1; }
for _ in $(seq 100); do client ls && break; done
loaded=$(grep -ho '/[^ ]*libtevent\.so\.[^ ]*' "/proc/$smbd/maps" | sort -u)
case $loaded in
"$lib"/*) ok "smbd has loaded $loaded" ;;
*) fail "smbd has loaded $loaded" ;;
esac
: >"$work/in/0"
printf x >"$work/in/1"
head -c 65536 /dev/urandom >"$work/in/65536"
head -c 52428800 /dev/urandom >"$work/in/52428800"
for size in 0 1 65536 52428800; do
    client "lcd $work/in; put $size; lcd $work/out; get $size" || fail "put or get of $size bytes"
    cmp "$work/in/$size" "$work/out/$size" && ok "$size bytes"
done
clients=()
for n in 1 2 3 4 5 6 7 8; do
    mkdir "$work/out.$n"
    (client "lcd $work/in; put 65536 c$n; put 52428800 d$n; lcd $work/out.$n; get d$n; get c$n" &&
        cmp "$work/in/65536" "$work/out.$n/c$n" && cmp "$work/in/52428800" "$work/out.$n/d$n") &
    clients+=($!)
done
for n in "${clients[@]}"; do wait "$n" || fail "one of eight clients"; done
ok "eight clients at once"
kill -TERM "$smbd"
# 143: by that signal.
timeout 20 tail --pid="$smbd" -f /dev/null || fail "smbd does not stop"
ended=0
wait "$smbd" || ended=$?
smbd=
if grep -qiE 'panic|internal error' "$work"/log.* "$work/smbd.out"; then fail "smbd panicked"; fi
ok "smbd has stopped ($ended)"
exit "$failed"
