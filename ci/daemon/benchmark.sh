#!/usr/bin/env bash
# redis-benchmark on the daemon and on redis-server that saves nothing, one after the other in each cell of each round, cells and servers
# in random order. A server has one core and redis-benchmark the other. Prints a table in markdown; fails on any error, or if a cell is
# below its bar. ROUNDS=, CLIENTS="1 50 500", PIPELINES="1 16" and TESTS="get set" choose less.
. "$(dirname "$0")/lib.sh"
need taskset util-linux
[ "$(nproc)" -ge 2 ] || { echo "this needs two cores" >&2; exit 2; }

rounds=${ROUNDS:-5}
read -ra clients <<<"${CLIENTS:-1 50 500}"
read -ra pipelines <<<"${PIPELINES:-1 16}"
read -ra tests <<<"${TESTS:-ping_inline ping_mbulk set get incr mset}"
declare -A bar=([1]=0.95 [16]=0.75) # the least ratio of rates, by pipeline
ulimit -n 4096

# requests TEST CLIENTS PIPELINE: as many as take about half a second; with many clients more, so that it is not about connecting.
requests() {
    local n=40000
    case $2 in
        1) n=10000 ;;
        500) n=100000 ;;
    esac
    [ "$3" = 1 ] || n=$((n * 8))
    [ "$1" != mset ] || [ "$3" = 1 ] || n=$((n / 4))
    echo $n
}

ticks() { sed 's/.*) //' "/proc/${ids[$1]}/stat" | awk '{ print $12 + $13 }'; } # user and system

# run SERVER TEST CLIENTS PIPELINE: a line of $work/samples: cell, server, requests in a second, microseconds of CPU for each.
run() {
    local server=$1 test=$2 n before after rate
    n=$(requests "$test" "$3" "$4")
    before=$(ticks "$server")
    timeout 120 taskset -c 1 redis-benchmark -p "${ports[$server]}" -t "$test" -c "$3" -P "$4" -n "$n" --csv \
        >"$work/csv" 2>"$work/said" || wrong "$*: exit code $?: $(cat "$work/said")"
    after=$(ticks "$server")
    [ ! -s "$work/said" ] || wrong "$*: $(head -n 1 "$work/said")"
    ! grep -i error "$work/csv" || wrong "$*"
    rate=$(awk -F '","' 'NR == 2 { print $2 }' "$work/csv")
    [[ "$rate" =~ ^[0-9.]+$ ]] || { wrong "$*: no rate"; rate=0; }
    awk -v cell="$2 $3 $4" -v server="$server" -v rate="$rate" -v us="$(((after - before) * us_per_tick))" -v n="$n" \
        'BEGIN { print cell, server, rate, us / n }' >>"$work/samples"
}
us_per_tick=$((1000000 / $(getconf CLK_TCK)))

median() { sort -g | awk '{ a[NR] = $1 } END { m = (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2; print m }'; }

# of CELL SERVER COLUMN: that column of its samples, round by round.
of() { awk -v cell="$1" -v server="$2" -v column="$3" '$1 " " $2 " " $3 == cell && $4 == server { print $column }' "$work/samples"; }

declare -A ids ports
pinned=(taskset -c 0)
start daemon --max-clients 1000 --idle-timeout 0
ids[daemon]=$id ports[daemon]=$port
start_redis redis --maxclients 1000
ids[redis]=$id ports[redis]=$port

cells=()
for test in "${tests[@]}"; do
    for c in "${clients[@]}"; do
        for p in "${pipelines[@]}"; do cells+=("$test $c $p"); done
    done
done
for server in daemon redis; do run "$server" set 50 16; done # there is something to get
: >"$work/samples"
for ((round = 1; round <= rounds; round++)); do
    mapfile -t shuffled < <(printf '%s\n' "${cells[@]}" | shuf)
    for cell in "${shuffled[@]}"; do
        for server in $(shuf -e daemon redis); do
            # shellcheck disable=SC2086 # a cell is three words
            run "$server" $cell
        done
    done
done

echo "| test | clients | pipeline | $SUBJECT, 1/s | redis-server, 1/s | ratio | $SUBJECT, µs CPU | redis-server, µs CPU |"
echo "|---|--:|--:|--:|--:|--:|--:|--:|"
for cell in "${cells[@]}"; do
    read -r test c p <<<"$cell"
    ratio=$(paste <(of "$cell" daemon 5) <(of "$cell" redis 5) | awk '{ print $2 ? $1 / $2 : 0 }' | median)
    printf '| %s | %s | %s | %.0f | %.0f | %.2f | %.2f | %.2f |\n' "$test" "$c" "$p" \
        "$(of "$cell" daemon 5 | median)" "$(of "$cell" redis 5 | median)" "$ratio" \
        "$(of "$cell" daemon 6 | median)" "$(of "$cell" redis 6 | median)"
    least=${bar[$p]:-0}
    awk -v ratio="$ratio" -v least="$least" 'BEGIN { exit (ratio < least) }' || echo "$cell: $ratio, less than $least" >>"$work/low"
done
echo
echo "Medians of $rounds rounds; the ratio is the median of the rounds' ratios. redis-server $(redis-server --version | grep -o 'v=[^ ]*')."
if [ -s "$work/low" ]; then
    echo
    echo "Below the bar (test, clients, pipeline):"
    cat "$work/low"
    failed=1
fi
exit "$failed"
