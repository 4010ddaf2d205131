#!/bin/bash
# SPDX-License-Identifier: MIT
# How many instructions a call takes, as callgrind counts them: one line "KIND COUNT" each, in hundredths.
#
#     bench/instructions.sh BUILD SPANALLOCD        a collector of its own is started for those that need one
#
# Each figure is the difference of two runs, over the difference of their calls, less an empty loop.  The ring is so large
# that no doorbell is due.  The same binary gives the same figures: what is counted does not depend on time.
set -eu -o pipefail

build=$1 daemon=$2
calls=$build/bench/calls
preload=$build/client/malloc/libspanalloc-malloc.so
work=$(mktemp -d /tmp/sa.XXXXXX)
collector=
tidy() {
        trap - EXIT
        if [ -n "$collector" ]; then
                kill -TERM "$collector" 2>/dev/null || true
                wait "$collector" 2>/dev/null || true
        fi
        rm -rf "$work"
}
trap tidy EXIT
trap 'exit 1' INT TERM HUP
unset SPANALLOC SPANALLOC_ON_FULL LD_PRELOAD
export SPANALLOC_SOCKET=$work/ingest.sock SPANALLOC_RING_KIB=16384 SPANALLOC_ATTACH_MS=30000

# run N KIND: instructions of a whole run.
run() {
        local total
        total=$(valgrind --tool=callgrind --callgrind-out-file="$work/out" "$calls" "$2" "$1" 2>&1 |
                sed -n 's/.*Collected : //p')
        [ -n "$total" ] || { echo "bench/instructions.sh: valgrind counted nothing for $2" >&2; exit 1; }
        echo "$total"
}

# per_call KIND
per_call() {
        local few many
        few=$(run 400 "$1")
        many=$(run 2400 "$1")
        echo $(((many - few) * 100 / 2000))
}

# count NAME KIND: without the loop.
count() {
        echo "$1 $(($(per_call "$2") - empty))"
}

empty=$(per_call nothing)
count alone_pair pair
count alone_scope scope
count malloc_plain malloc

LD_PRELOAD=$preload count malloc_alone malloc

"$daemon" --user --runtime-dir "$work" --state-dir "$work/state" </dev/null >"$work/log" 2>&1 &
collector=$!
for _ in {1..1200}; do
        [ -S "$work/ingest.sock" ] && break
        sleep 0.05
done
count pair pair
count scope scope
count nested nested
count turns turns
count life life
LD_PRELOAD=$preload count malloc_counted malloc
