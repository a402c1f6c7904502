#!/usr/bin/env bash
# The same sessions with redis-server and with the daemon; any line that differs fails.
. "$(dirname "$0")/lib.sh"

here=ci/daemon/sessions

# by_cli: commands.txt on one connection, each command before its reply. redis-cli does not repeat what it reads, so that an ECHO
# stands between the commands. What must be different of these three is told by no more than that it is an error.
by_cli() {
    grep -v -e '^#' -e '^$' $here/commands.txt >"$work/commands"
    awk '{ print "ECHO \"= " NR " =\""; print }' "$work/commands" | timeout 60 redis-cli -p "$port" --no-raw |
        awk -v commands="$work/commands" '
            /^"= [0-9]+ ="$/ { getline < commands; print "> " $0; own = /^(CLIENT|COMMAND|CONFIG)/; next }
            own { sub(/^\(error\) ERR.*/, "(error) ERR") }
            { print }'
}

# by_wire: each line of wire.txt on a connection of its own.
by_wire() {
    local line reply
    while IFS= read -r line; do
        echo "> $line"
        talk "$line\r\nQUIT\r\n" >"$work/reply" || echo "(stays open)"
        reply=$(cat -v "$work/reply")
        echo "${reply//$BIG/BIG}"
    done < <(grep -v -e '^#' -e '^$' $here/wire.txt)
}

# in_pieces: a request in two writes, cut at each byte. The first is answered before the second is sent.
in_pieces() {
    local request='*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$3\r\nabc\r\n*2\r\n$3\r\nGET\r\n$3\r\nk\r\n\r\n' bytes i
    bytes=$(printf %b "$request" | od -An -v -tx1 | sed 's/ /\\x/g' | tr -d '\n')
    for ((i = 4; i < ${#bytes}; i += 4)); do
        timeout 10 bash -c '
            exec 3<>"/dev/tcp/127.0.0.1/$1"
            printf "PING\r\n" >&3 && read -r <&3
            printf %b "$2" | cat >&3
            redis-cli -p "$1" PING >/dev/null # the server has been round its loop
            printf "%bQUIT\r\n" "$3" | cat >&3
            cat <&3' pieces "$port" "${bytes:0:i}" "${bytes:i}" | cat -v
    done
}

# expiry: what the clock does to keys. Only how it ends is told.
expiry() {
    cli MSET a 1 b 2 c 3
    cli SET b 2 PX 30
    cli SET d 4 PX 30
    cli EXPIRE c 1
    eventually 5 gone b && eventually 5 gone c && eventually 5 gone d && echo "they are gone"
    cli MGET a b c d
    cli TTL b
    cli SET b 3 NX
    cli SET c 3 XX
    cli INCR d
    cli TTL d
    cli DEL a b d
    cli DBSIZE
}
gone() { [ "$(cli EXISTS "$1")" = 0 ]; }

# sorted: replies whose order is nobody's promise.
sorted() {
    local pattern
    cli MSET hello 1 hallo 2 hxllo 3 heeeello 4 'a*b' 5 '[x]' 6 '' 7 other 8 'nl\n' 9
    for pattern in '*' 'h*llo' 'h?llo' 'h[ae]llo' 'h[^e]llo' 'h[a-f]llo' '?*' '[ho]*' '*[^o]'; do
        echo "> KEYS $pattern"
        cli KEYS "$pattern" | sort
    done
    cli FLUSHALL
}

# fields: of what must differ, that which must not.
fields() {
    info connected_clients
    cli CLIENT ID | grep -cE '^[0-9]+$'
    cli CONFIG GET save | head -n 1
    cli CONFIG GET appendonly | head -n 1
    cli CONFIG GET maxclients
    cli BGSAVE
    cli SELECT 0
}

# by_unix_socket: some of it without TCP. The file is gone when the server is.
by_unix_socket() {
    printf '%s\n' PING 'SET u 1' 'INCR u' 'GET u' 'DEL u' | timeout 10 redis-cli -s "$socket" --no-raw
    [ -S "$socket" ] && echo "there is a socket"
}

# mass_insertion: redis-cli's own way of sending very many.
mass_insertion() {
    awk 'BEGIN { for (i = 0; i < 20000; i++) printf "SET mass:%d %d\r\n", i, i }' | cli --pipe | tail -n 1
    cli DBSIZE
    cli MGET mass:0 mass:9999 mass:19999 mass:20000
    cli FLUSHALL
}

sessions=(by_cli by_wire in_pieces expiry sorted fields by_unix_socket mass_insertion)
for name in redis subject; do
    socket=$work/$name.sock
    case $name in
        redis) start_redis "$name" --maxclients 100 --unixsocket "$socket" ;;
        subject) start "$name" --max-clients 100 --unix "$socket" ;;
    esac
    for session in "${sessions[@]}"; do
        "$session" >"$work/$name.$session" 2>&1 || echo "(exit code $?)" >>"$work/$name.$session"
    done
    stop TERM
    echo "(exit code $code, $(find "$work" -name "$name.sock" | wc -l) sockets left)" >>"$work/$name.by_unix_socket"
done

for session in "${sessions[@]}"; do
    lines=$(wc -l <"$work/redis.$session")
    check "$session: $lines lines" \
        diff -U 2 --label "redis-server" --label "$SUBJECT" "$work/redis.$session" "$work/subject.$session"
done
exit "$failed"
