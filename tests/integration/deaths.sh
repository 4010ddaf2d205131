#!/bin/bash
# SPDX-License-Identifier: MIT
# What was it doing when it died: spans that were open are aborted, with their bytes, and ps names them; one line says so of
# who was killed, and none of who ended by itself.
. "$(dirname "$0")/../support/lib.sh"
need python3

start_collector
reads_status() { # of the dead, by a pidfd: Linux 6.15
        [ "$(printf '%s\n6.15\n' "$(uname -r)" | sort -V | head -n 1)" = 6.15 ]
}

# die HOW ENDED: ends in the way, and is seen to have
die() {
        spawn "$PROGRAMS/span_dies" "$1"
        pid=$SPAWNED
        ended() {
                [ "$(ps_field "$pid" alive)" = false ]
        }
        wait_for "the end by $1" ended
        [ "$1" = exec ] || wait "$pid" 2>/dev/null || true
        if reads_status || [ "$1" = exec ]; then
                is_told() {
                        [ "$(ps_field "$pid" ended)" = "$2" ]
                }
                wait_for "how it ended, by $1" is_told "" "$2"
        fi
}

lines() {
        grep -c "process $pid (span_dies).*open then" "$WORK/collector.log" || true
}

for how in kill abort segv; do
        die $how "killed by SIG$(tr a-z A-Z <<<"${how/abort/abrt}")"
        expect "spans open then" "$(ps_field "$pid" 'last_spans | map_values(.[1]) | tojson')" \
                '{"batch":5000,"request":1100,"request/query":1000,"job":10}'
        # The same question, of one name.
        ended=$(ps_field "$pid" ended)
        [ -n "$ended" ] || fail "ps does not say how $pid ended"
        expect "what show says of request" "$(ctl show request | grep "^  process $pid,")" \
                "  process $pid, $ended: 1 open, with 1.1K"
        expect "the same in its document" "$(json ".ended[] | select(.pid == $pid) |
                [.ended, (.process > 0), .last_spans.request[1]] | map(tostring) | join(\" \")" show request)" \
                "$ended true 1100"
        expect "what show says of query" "$(ctl show query | grep "^  process $pid,")" \
                "  process $pid, $ended: 1 open, with 1000B"
        wait_for "the line about it" grep -q "process $pid (span_dies).*open then" "$WORK/collector.log"
        expect_match "the line" "$(grep "process $pid.*open then" "$WORK/collector.log")" \
                'open then: batch 4.9 KiB, request 1.1 KiB, request/query 1000 B, job 10 B; last minute: [0-9.]+ [KM]?i?B/s'
        expect "lines about it" "$(lines)" 1
done
expect_match "the cause of an abort" "$(grep 'SIGABRT' "$WORK/collector.log")" 'cause Aborted'
expect_match "the cause of a kill" "$(grep 'SIGKILL' "$WORK/collector.log")" 'cause unknown'
for name in request query batch job; do
        json_true "$name is aborted" "[.spans[] | select(.span == \"$name\")] | length == 3 and
                all(.aborted == 1 and .open == 0 and .closed == 0)" spans
done
# A cycle that was cut off has its bytes in the total.
json_true "their bytes" '[.spans[] | select(.span == "request") | .alloc_bytes] == [1100, 1100, 1100]' spans

for how in exit _exit; do
        code=3
        [ $how = exit ] || code=4
        die $how "exited $code"
        expect "spans open then" "$(ps_field "$pid" 'last_spans | length')" 4
        ! reads_status || expect "lines about it" "$(lines)" 0
done

die exec exec
expect "spans open then" "$(ps_field "$pid" 'last_spans | length')" 4
expect "lines about it" "$(lines)" 0

note "a request to end"
spawn "$PROGRAMS/span_dies" waits
pid=$SPAWNED
# Its second thread waits inside "batch", its first inside "query".
is_in() {
        [ "$(span_field "$pid" query open)" = 1 ]
}
wait_for "its spans" is_in
kill -TERM "$pid"
wait_for "the line about it" grep -q "process $pid (span_dies).*open then" "$WORK/collector.log"
! reads_status || expect_match "the line" "$(grep "process $pid.*open then" "$WORK/collector.log")" \
        'killed by SIGTERM, cause a request to end; open then: batch'
mkfifo "$WORK/in"
exec 9<>"$WORK/in"
for signal in TERM HUP; do
        "$PROGRAMS/span_timed" <&9 >"$WORK/out.$signal" &
        pid=$!
        echo "calls 3" >&9
        wait_for "the calls" grep -q '^[0-9]' "$WORK/out.$signal"
        kill -"$signal" "$pid"
        wait "$pid" 2>/dev/null || true
        wait_for "its end" ended
        ! reads_status || wait_for "how it ended" is_told "" "killed by SIG$signal"
        ! grep -q "process $pid.*open then" "$WORK/collector.log" || fail "an ordinary end is told: $(grep "process $pid" "$WORK/collector.log")"
done

if reads_status; then
        note "the rate of a program without spans, over a reset"
        mkfifo "$WORK/fill"
        began=$(date +%s%N)
        LD_PRELOAD=$PRELOAD python3 -c 'import os, sys
held = [bytearray(1 << 20) for i in range(200)]
open(sys.argv[1], "w").close()
open(sys.argv[1]).close()
held += [bytearray(1 << 20) for i in range(20)]
os.kill(os.getpid(), 9)' "$WORK/fill" &
        pid=$!
        : <"$WORK/fill"
        ctl reset >/dev/null
        : >"$WORK/fill"
        wait "$pid" || true
        ended=$(date +%s%N)
        wait_for "the line about it" grep -q "process $pid .*last minute" "$WORK/collector.log"
        line=$(grep "process $pid .*last minute" "$WORK/collector.log")
        expect_match "its rate" "$line" 'open then: nothing; last minute: [1-9][0-9.]* [MG]iB/s$'
        # All 220 MiB in the time since it attached, or in a second: what came before the reset is in the rate.
        python3 - "$line" "$began" "$ended" <<'END' || fail "a rate too low: $line"
import re, sys
rate, unit = re.search(r"last minute: ([0-9.]+) ([MG])iB/s$", sys.argv[1]).groups()
seconds = max(1, (int(sys.argv[3]) - int(sys.argv[2])) / 1e9)
sys.exit(float(rate) * (1024 if unit == "G" else 1) * seconds < 200)
END
fi

note "a thread's death is not the process's"
spawn "$PROGRAMS/span_dies" thread
pid=$SPAWNED
# By then both of its threads are on record.
wait_true "the other thread's last span" "[.spans[] | select(.pid == $pid and .span == \"query\" and .open == 1)] | length == 1" spans
has_ended() {
        [ "$(ps_field "$pid" threads)" = 1 ]
}
wait_for "the thread's end" has_ended
! ctl show batch | grep -q "^  process $pid," || fail "show says that a living process has ended"
json_true "it lives" ".processes[] | select(.pid == $pid) | .alive and .last_spans == {}" ps
# Another thread may still close it.
expect "batch" "$(span_field "$pid" batch open)" 1

note "show says so, too, of those that were not in the midst of it"
"$PROGRAMS/span_crowd" 2 100 >"$WORK/crowd" </dev/null &
pid=$!
wait "$pid"
is_shown() {
        [ "$(ctl show local | grep "^  process $pid,")" = "  process $pid, $(ps_field "$pid" ended): none open" ]
}
wait_for "its end in show" is_shown

stop_collector
pass
