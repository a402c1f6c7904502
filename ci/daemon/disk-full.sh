#!/usr/bin/env bash
# A disk that gets full, a tmpfs of 1 MiB: one clear line, the old snapshot stays, nothing half-written does, the daemon goes on, and
# when there is room again it saves. Needs root, to mount.
. "$(dirname "$0")/lib.sh"
[ "$SUBJECT" = daemon ] || { echo "this part is about what the daemon promises, not redis-server"; exit 2; }

mkdir "$work/full"
mount -t tmpfs -o size=1m tevent-daemon "$work/full"
mounted=$work/full

has_failed() { [ -n "$(info snapshot_last_error)" ]; }
lines() { wc -l <"$work/full.err"; }
has_said() { [ "$(lines)" = "$1" ]; }
fill() { awk -v from="$1" -v to="$2" 'BEGIN { for (i = from; i < to; i++) printf "SET key:%d %01024d\r\n", i, i }' | cli --pipe >"$work/reply"; }
values() { awk -v to="$1" 'BEGIN { printf "MGET"; for (i = 0; i < to; i++) printf " key:%d", i }' | cli | md5sum; }

start full
fill 0 100
few=$(values 100)
cli BGSAVE >"$work/reply"
check "a snapshot that has room" eventually 10 has_saved 0
check "no error is told" is snapshot_last_error ''
old=$(md5sum <"$work/full/dump.tevent")
said=$(lines)

say "3 MiB of data on 1 MiB of disk"
fill 100 3000
for try in 1 2 3; do
    reply=$(cli BGSAVE)
    check "BGSAVE says that it has started" [ "$reply" = "Background saving started" ]
    check "one line is said" eventually 10 has_said $((said + try))
    check "$(tail -n 1 "$work/full.err")" grep -qi 'no space left' <(tail -n 1 "$work/full.err")
    check "INFO: $(info snapshot_last_error)" has_failed
done
check "the old snapshot is as it was" [ "$(md5sum <"$work/full/dump.tevent")" = "$old" ]
check "there is no other file" [ "$(ls -A "$work/full")" = dump.tevent ]
check "no more snapshots are counted" is snapshots_saved 1
check "the daemon goes on" [ "$(cli SET still here)" = OK ]

say "it is ended while the disk is full"
stop TERM
check "its exit code tells that the data are lost: $code" [ $code -ne 0 ]
check "the old snapshot is as it was" [ "$(md5sum <"$work/full/dump.tevent")" = "$old" ]
check "there is no other file" [ "$(ls -A "$work/full")" = dump.tevent ]
start full
check "the old snapshot loads" [ "$(cli DBSIZE)" = 100 ]
check "with its values" [ "$(values 100)" = "$few" ]

say "there is room again"
fill 100 3000
many=$(values 3000)
cli BGSAVE >"$work/reply"
check "it fails once more" eventually 10 has_failed
mount -o remount,size=16m "$work/full"
cli BGSAVE >"$work/reply"
check "a snapshot" eventually 10 has_saved 0
check "no error is told any more" is snapshot_last_error ''
stop KILL
start full
check "it loads" [ "$(cli DBSIZE)" = 3000 ]
check "with its values" [ "$(values 3000)" = "$many" ]
stop TERM
check "the daemon ends well" [ $code = 0 ]
exit "$failed"
