#!/bin/bash
# SPDX-License-Identifier: MIT
# One version of the collector takes over from another, later or earlier, whose records have other lengths: under load, at
# clean ends and at kills, the takeover itself included.  In the end the books are the workload's own ledger.  And where a
# version cannot read what there is, it says so, counts it, and what it lost is in no sum by mistake.
# versions/next has longer records, in versions/foreign they mean something else.  UPGRADE_KILLS=1000 for the long run.
# Timeout: 1200
. "$(dirname "$0")/../support/lib.sh"

kills=${UPGRADE_KILLS:-60}
rate=50000 # records a second, in every interval between kills
export SPANALLOC_ON_FULL=wait
next=$BUILD/tests/spanallocd_next
foreign=$BUILD/tests/spanallocd_foreign

# install FILE: as a package does it, in one step; the service manager starts what is there.
install() {
        cp "$1" "$WORK/daemon.new"
        mv "$WORK/daemon.new" "$WORK/spanallocd"
}
# start BACKEND
start() {
        install "$DAEMON"
        start_keeper --ledger "$WORK/live.one" --ledger "$WORK/live.two" -- \
                "$WORK/spanallocd" --user --runtime-dir "$RUNTIME" --keep 3600 --backend "$1"
        exec {end}<>"$WORK/end" # after the keeper, which is not to have it
}
# start_program NAME; its ledger is $WORK/live.NAME, its sums $WORK/sums.NAME
start_program() {
        "$PROGRAMS/span_crowd" 2 0 "$WORK/live.$1" >"$WORK/sums.$1" <"$WORK/end" {end}>&- &
        eval "$1=$!"
}
attached() {
        [ "$(json '[.processes[] | select(.alive)] | length' ps)" = "$1" ]
}
stop_program() {
        printf '\1' | dd of="$WORK/live.$1" conv=notrunc status=none
        wait_for -t 60 "the sums of $1" grep -q done "$WORK/sums.$1"
}
reshaped() { # of how many processes so far
        grep -Eo '[0-9]+ of the books were another' "$WORK/collector.log" | awk '{ n += $1 } END { print n + 0 }'
}
compare() {
        local name
        for name in local inner handed; do
                expect "$name of $1" "$(json ".spans[] | select(.pid == ${!1} and .span == \"$name\") |
                        [.span, .closed, .cycles, .alloc_count, .alloc_bytes, .dealloc_count, .dealloc_bytes, .migrated] |
                        map(tostring) | join(\" \")" spans)" "$(grep "^$name " "$WORK/sums.$1")"
        done
}
moved() { # WHAT: of both processes once more
        expect "$1: books of another version, so far" "$(reshaped)" $((seen + 2))
        seen=$((seen + 2))
        expect "generation" "$(json .status.generation status)" "$generation"
        expect "processes" "$(json '.processes | length' ps)" 2
        expect_balanced
}

mkfifo "$WORK/end"
for backend in poll io_uring; do
        if [ "$backend" = io_uring ] && ! "$BUILD/tests/no_io_uring" --probe; then
                note "no io_uring here"
                continue
        fi
        note "up and down, $backend"
        : >"$WORK/collector.log"
        seen=0
        rm -f "$WORK"/live.*
        start "$backend"
        start_program one
        start_program two
        wait_for "both programs" attached 2
        generation=$(json .status.generation status)
        keeper "kill 3 $rate 1000"
        expect "books of another version" "$(reshaped)" 0

        for how in restart crash restart crash; do
                install "$next"
                keeper "$how"
                moved "$how, up"
                # What another version has written is of its own shape from then on.
                keeper "kill 2 $rate 1000"
                keeper "$how"
                expect "books of another version, so far" "$(reshaped)" "$seen"
                install "$DAEMON"
                keeper "$how"
                moved "$how, down"
                keeper "kill 2 $rate 1000"
        done

        note "kills at any moment, each time perhaps another version"
        : >"$WORK/flip"
        while [ -e "$WORK/flip" ]; do
                install "$next"
                sleep "0.0$((RANDOM % 90 + 10))"
                install "$DAEMON"
                sleep "0.0$((RANDOM % 90 + 10))"
        done &
        flipper=$!
        keeper "kill $kills $rate 20000"
        note "$KEEPER_ANSWER"
        # How often the version was another is the machine's choice.
        for _ in $(seq 20); do
                [ "$(reshaped)" -lt $((seen + kills / 4)) ] || break
                keeper "kill $((kills / 4)) $rate 20000"
        done
        rm "$WORK/flip"
        wait_status "$flipper"
        expect_at_least "books of another version, so far" "$(reshaped)" $((seen + kills / 4))
        note "$(reshaped) times the books of one were another version's"
        expect "generation" "$(json .status.generation status)" "$generation"
        stop_program one
        stop_program two
        exec {end}>&-
        wait_for -t 60 "their ends" attached 0
        install "$next"
        keeper restart
        install "$DAEMON"
        keeper restart
        compare one
        compare two
        for program in one two; do
                expect "refused by $program" "$(grep refused "$WORK/sums.$program")" "refused 0"
        done
        expect "refused, lost, aborted, before" "$(json '[.processes[] | .refused, .lost_alloc_count, .lost_alloc_bytes,
                .aborted, .before_alloc_bytes] | add' ps)" 0
        expect "records of the collector" "$(json .status.records status)" "$(json '[.processes[].records] | add' ps)"
        expect "left behind" "$(json .status.left_behind status)" 0
        expect_balanced
        stop_keeper
done

note "books that cannot be read"
rm -f "$WORK"/live.* "$WORK"/sums.*
: >"$WORK/collector.log"
start poll
start_program one
start_program two
wait_for "both programs" attached 2
keeper "kill 2 $rate 1000"
# In spans: what the thread that only waits for the others had counted is not seen again before it does something.
known=$(ps_field "$one" self_alloc_bytes)
install "$foreign"
keeper restart
for number in 1 2; do
        grep -q "the books of process number $number cannot be taken over: they are of another version" \
                "$WORK/collector.log" || fail "no line about the books of process $number"
done
expect "left behind" "$(json .status.left_behind status)" 2
expect_match "what status says" "$(ctl status)" 'Left behind: 2 processes'
wait_for "both programs to come back" attached 2
expect "its row" "$(json "[.processes[] | select(.pid == $one)] | length" ps)" 1
# What was counted until a thread moved is `before`, booked by the collector before or not: no span has counts of before it.
all_is_back() { # with its second thread
        json_true "" "[.processes[] | select(.pid == $one)][0] | .before_alloc_bytes >= $known and .lost_alloc_bytes == 0" ps
}
wait_for "what was there before" eval '(all_is_back)'
expect_balanced
keeper crash
expect "left behind, ever" "$(json .status.left_behind status)" 2
stop_program one
stop_program two
exec {end}>&-
wait_for -t 60 "their ends" attached 0
stop_keeper

note "files of another version"
install "$DAEMON"
state=$WORK/state
serve() { # FILE
        install "$1"
        DAEMON=$WORK/spanallocd start_collector --state-dir "$state"
}
DAEMON_HERE=$DAEMON
sums() {
        json '[.spans[] | with_entries(select(.key | test("rate") | not))] | tojson' spans
}
serve "$DAEMON_HERE"
"$PROGRAMS/span_crowd" 2 2000 >"$WORK/sums.file" </dev/null
wait_for "its end" attached 0
wait_for "a row" eval '[ "$(json ".processes | length" ps)" = 1 ]'
before=$(sums)
stop_collector
for version in "$next" "$DAEMON_HERE" "$next"; do
        serve "$version"
        expect "spans" "$(sums)" "$before"
        stop_collector
done
serve "$foreign"
expect "rows" "$(json '.processes | length' ps)" 0
expect "left behind" "$(json .status.left_behind status)" 1
stop_collector
pass
