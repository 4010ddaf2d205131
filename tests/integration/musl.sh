#!/bin/bash
# SPDX-License-Identifier: MIT
# A program of another libc.  musl's loader takes LD_PRELOAD as it comes, with libc.so.6 for itself, and ends a program
# whose preload lacks a symbol with 127: so every symbol that the counters need must be musl's too, or weak.
. "$(dirname "$0")/../support/lib.sh"
need musl-gcc nm jq

# The loader is the libc.
LIBC=$(realpath /lib/ld-musl-*.so.1 | head -n 1)
nm -D --defined-only "$LIBC" | awk '{ print $NF }' | sort -u >"$WORK/has"
nm -D --undefined-only "$PRELOAD" | awk '$1 != "w" && $1 != "v" { sub(/@.*/, "", $NF); print $NF }' | sort -u >"$WORK/needs"
lacking=$(comm -13 "$WORK/has" "$WORK/needs")
[ -z "$lacking" ] || fail "musl lacks, and libspanalloc-malloc needs: $lacking"
expect "what the preload itself needs" "$(objdump -p "$PRELOAD" | awk '$1 == "NEEDED" { print $2 }')" libc.so.6
note "all $(wc -l <"$WORK/needs") symbols are in musl"

musl-gcc -O1 -w -o "$WORK/program" "$SOURCE/tests/integration/programs/malloc_musl.c"
for argument in 0 exec spawn; do
        expect_status 41 "$WORK/program" "$argument"
        wanted=$(cat "$WORK/out")
        LD_PRELOAD=$PRELOAD expect_status 41 "$WORK/program" "$argument"
        expect "its output, $argument" "$(cat "$WORK/out")" "$wanted"
        expect "its standard error, $argument" "$(cat "$WORK/err")" ""
        expect_status 41 "$CTL" run -o "$WORK/report" -- "$WORK/program" "$argument"
        expect "its output under run, $argument" "$(cat "$WORK/out")" "$wanted"
done
note "it ends with its own status, alone, preloaded and under run"

# With a daemon that is there to be found, too.
start_collector
LD_PRELOAD=$PRELOAD expect_status 41 "$WORK/program" 0

# run says that it was not counted.
"$CTL" run --json=short -o "$WORK/report" -- "$WORK/program" 0 >/dev/null || expect "run's status" $? 41
expect_match "why it was not counted" "$(jq -r '.processes[].counting' "$WORK/report")" 'not counted|nothing'
pass
