#!/bin/bash
# SPDX-License-Identifier: MIT
# What a collector leaves, and what becomes of it when some of that is missing, too much, or not taken.
. "$(dirname "$0")/../support/lib.sh"

export SPANALLOC_ON_FULL=wait
mkfifo "$WORK/end"

# start_program NAME; its ledger is $WORK/live.NAME, its sums $WORK/sums.NAME
start_program() {
        "$PROGRAMS/span_crowd" 2 0 "$WORK/live.$1" >"$WORK/sums.$1" <"$WORK/end" {end}>&- &
        eval "$1=$!"
}
stop_program() {
        printf '\1' | dd of="$WORK/live.$1" conv=notrunc status=none
        wait_for -t 120 "the sums of $1" grep -q done "$WORK/sums.$1"
}
rows() {
        json '[.processes[] | select(.alive)] | length' ps
}
has_rows() {
        [ "$(rows)" = "$1" ]
}
# rows_of PID: how many rows it ever had
rows_of() {
        json "[.processes[] | select(.pid == $1)] | length" ps
}
writes() {
        [ "$(json "[.processes[] | select(.pid == $1)][-1].records" ps)" -gt "$2" ]
}
# writes_on PID: there are more records than now
writes_on() {
        wait_for -t 120 "records of $1" writes "$1" "$(json "[.processes[] | select(.pid == $1)][-1].records" ps)"
}
compare() {
        local name
        for name in local inner handed; do
                expect "$name of $1" "$(json ".spans[] | select(.pid == ${!1} and .span == \"$name\") |
                        [.span, .closed, .cycles, .alloc_count, .alloc_bytes, .dealloc_count, .dealloc_bytes, .migrated] |
                        map(tostring) | join(\" \")" spans)" "$(grep "^$name " "$WORK/sums.$1")"
        done
}

start_keeper -- "$DAEMON" --user --runtime-dir "$RUNTIME" --keep 3600
exec {end}<>"$WORK/end" # after the keeper, which is not to have it
start_program one
start_program two
wait_for "two programs" has_rows 2
# keeps NAMES: the store has these; it gets them after the row is there.
keeps() {
        keeper names
        [ "$KEEPER_ANSWER" = "$1" ]
}
# keeps_books N
keeps_books() {
        keeper names
        [ "$(tr ' ' '\n' <<<"$KEEPER_ANSWER" | grep -c books)" = "$1" ]
}
wait_for "all to be kept" keeps "beacon books.1 books.2 collector pid.1 pid.2 segment.1 segment.2"

note "a clean restart is the same"
generation=$(json .status.generation status)
keeper restart
expect "generation" "$(json .status.generation status)" "$generation"
writes_on "$one"
writes_on "$two"

note "one is missing: it begins anew, the other one keeps its segment, though all are asked"
number=$(ps_field "$one" process)
keeper stop
keeper "drop segment.$number"
keeper start
[ "$(json .status.generation status)" != "$generation" ] || fail "the generation is the old one"
again() {
        [ "$(rows_of "$one")" = 2 ]
}
wait_for "the new row" again
writes_on "$two"
expect "rows of the other one" "$(rows_of "$two")" 1
expect "how the first row ended" "$(json "[.processes[] | select(.pid == $one)][0].ended" ps)" detached
expect_balanced
stop_program two
compare two

note "the other's sums survive its end, and more collectors"
ended() {
        [ "$(json "[.processes[] | select(.pid == $two)][0].alive" ps)" = false ]
}
stop_program one
exec {end}>&-
wait_for "its end" ended
wait_for "the other one's end" has_rows 0
keeper crash
keeper crash
compare two
records=$(json .status.records status)
wait_for "three books to be kept" keeps_books 3
keeper crash
expect "records" "$(json .status.records status)" "$records"
keeper "forget"
keeper crash
expect "rows without a store" "$(json '.processes | length' ps)" 0
stop_keeper

note "what is forgotten is so once"
start_keeper -- "$DAEMON" --user --runtime-dir "$RUNTIME" --keep 1
for _ in 1 2 3; do
        "$PROGRAMS/span_crowd" 2 2000 >>"$WORK/sums" </dev/null
done
all_forgotten() {
        [ "$(json '.processes | length' ps)" = 0 ]
}
wait_for "all to be forgotten" all_forgotten
records=$(json .status.records status)
expect_at_least "records" "$records" 24000
wait_for "nothing of them to be kept" keeps "beacon collector"
keeper crash
expect "records of the forgotten" "$(json .status.records status)" "$records"
expect "processes seen" "$(json .status.processes_seen status)" 3

note "a manager that does not read"
keeper stall
"$PROGRAMS/span_crowd" 2 2000 >"$WORK/sums.stalled" </dev/null
expect "refused" "$(grep refused "$WORK/sums.stalled")" "refused 0"
wait_for "a line about it" grep -q "did not confirm that it keeps the books" "$WORK/collector.log"
keeper go
stop_keeper

note "a store with room for two"
start_keeper --max 8 -- "$DAEMON" --user --runtime-dir "$RUNTIME" --keep 3600
exec {end}<>"$WORK/end"
start_program three
start_program four
wait_for "two programs" has_rows 2
wait_for "two books to be kept" keeps_books 2
start_program five
wait_for "three programs" has_rows 3
wait_for "a line about the third" grep -q "raise FileDescriptorStoreMax" "$WORK/collector.log"
keeper crash
wait_for "three programs" has_rows 3
writes_on "$three"
writes_on "$four"
writes_on "$five"
expect "rows of the kept, and of the other" "$(rows_of "$three") $(rows_of "$four") $(rows_of "$five")" "1 1 1"
stop_program three
stop_program four
stop_program five
exec {end}>&-
wait_for "their ends" has_rows 0
compare three
compare four
stop_keeper

note "what is not kept is kept as soon as there is room"
start_keeper --max 8 -- "$DAEMON" --user --runtime-dir "$RUNTIME" --keep 3600
exec {end}<>"$WORK/end"
start_program six
start_program seven
wait_for "two programs" has_rows 2
start_program eight
wait_for "three programs" has_rows 3
number=$(ps_field "$eight" process)
kept() {
        keeper names
        [[ " $KEEPER_ANSWER " == *" books.$number "* ]]
}
! kept || fail "a store with room for two keeps three"
kill -KILL "$six"
wait_status "$six"
wait_for -t 120 "the third to be kept" kept
generation=$(json .status.generation status)
keeper crash
expect "generation" "$(json .status.generation status)" "$generation"
writes_on "$eight"
expect "rows of the third" "$(rows_of "$eight")" 1
stop_program seven
stop_program eight
exec {end}>&-
wait_for "their ends" has_rows 0
compare eight
pass
