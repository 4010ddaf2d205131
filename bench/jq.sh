#!/bin/bash
# What counting costs a program that allocates all the time: jq over a large document, in processor time.
# usage: bench/jq.sh PRELOAD [RUNS]; the environment leads to a collector or to none
set -eu -o pipefail
preload=$1
runs=${2:-15}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

jq -n -c '[range(60000) | {id: ., name: "item \(.)", tags: ["a\(. % 7)", "b\(. % 11)"],
        price: (. * 1.25), stock: {here: (. % 13), there: (. % 17)}, note: null}]' >"$work/in.json"

# one PRELOAD: processor milliseconds of one run.
TIMEFORMAT='%U %S'
one() {
        local times
        times=$({ time LD_PRELOAD=$1 jq '[.[] | select(.stock.here > 3) | {id, n: (.name | ascii_upcase)}] | length' \
                "$work/in.json" >/dev/null; } 2>&1)
        awk '{ printf "%.0f\n", ($1 + $2) * 1000 }' <<<"$times"
}
median() {
        sort -n "$1" | sed -n "$(((runs + 1) / 2))p"
}

one "" >/dev/null
one "$preload" >/dev/null
for ((i = 0; i < runs; i++)); do
        one "" >>"$work/plain"
        one "$preload" >>"$work/counted"
done
awk -v plain="$(median "$work/plain")" -v counted="$(median "$work/counted")" -v runs="$runs" 'BEGIN {
        printf "jq: %d ms plain, %d ms counted: %+.1f %% processor time (medians of %d)\n",
                plain, counted, 100 * (counted - plain) / plain, runs }'
