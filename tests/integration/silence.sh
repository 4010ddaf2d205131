#!/bin/bash
# SPDX-License-Identifier: MIT
# The library does not count its own work.  Programs open and close millions of spans under the counting allocator, in rings
# that are drained, in rings that are full, and with more names, paths and depth than there is room for, and read zeros.
# errno is unchanged, and no call but the doorbell enters the kernel.
# Timeout: 900
. "$(dirname "$0")/../support/lib.sh"
need jq strace

start_collector
mkfifo "$WORK/in"
exec 9<>"$WORK/in" # both ways, so that neither side's opening waits for the other

sums=(alloc_count alloc_bytes dealloc_count dealloc_bytes)
# counters: all that ps knows of the program's heap
counters() {
        local fields
        fields=$(printf '.%s,' "${sums[@]}" "${sums[@]/#/self_}" "${sums[@]/#/outside_}" "${sums[@]/#/lost_}" \
                "${sums[@]/#/before_}")
        json ".processes[] | select(.pid == $program) | [${fields%,}] | map(tostring) | join(\" \")" ps
}

# begin COMMAND…: a span_silent, up to "ready"
begin() {
        LD_PRELOAD=$PRELOAD "$@" <&9 >"$WORK/program" &
        program=$!
        wait_for "the program" grep -q ready "$WORK/program"
        at_ready=$(counters)
}
is_done() {
        grep -q '^done' "$WORK/program" || ! kill -0 "$program"
}
# through: all its rounds
through() {
        echo >&9
        wait_for -t 60 "the end of the rounds" is_done
        grep -q '^done' "$WORK/program" || {
                wait_status "$program"
                fail "the program ended with $STATUS; 3: errno was touched"
        }
}
end() {
        echo >&9
        wait_status "$program"
        expect "exit status" "$STATUS" 0
}
said() {
        sed -n "s/^$1 //p" "$WORK/program"
}
document() {
        ctl --json=short spans --pid "$program" >"$WORK/spans"
}
# total FIELD: over all rows of the program
total() {
        jq "[.spans[].$1] | add" "$WORK/spans"
}
zeros() {
        local fields
        fields=$(printf '.%s,' "${sums[@]}" "${sums[@]/#/self_}" net_bytes .per_call.max)
        fields=${fields//../.}
        expect "$1: names that have allocated" "$(jq -c "[.spans[] | select(.thread == \"\") | select([${fields%,}] | any(. != 0)) | .span]" \
                "$WORK/spans")" "[]"
}
all_closed() {
        document
        [ "$(total open)" = 0 ]
}

# with ROUNDS THREADS: a plain one; what ps has at the end goes to $at_done
with() {
        begin "$PROGRAMS/span_silent" plain "$1" "$2"
        through
        at_done=$(counters)
}

# million THREADS: a million spans by hand and a million scopes read zeros, and so does all the rest
million() {
        local threads=$1 none_ready none_done name
        with 0 "$threads"
        none_ready=$at_ready none_done=$at_done
        end
        with 500000 "$threads"
        expect "$threads threads, at ready" "$at_ready" "$none_ready"
        expect "$threads threads: all counters, as with no span at all" "$at_done" "$none_done"
        [ "$threads" != 1 ] || expect "one thread: counters before and after" "$at_done" "$at_ready"
        wait_for "the last close" all_closed
        zeros "$threads threads"
        for name in first second third inner scope in_scope; do
                expect "$threads threads: opened, closed, cycles, per call of $name" "$(jq -r ".spans[] |
                        select(.span == \"${name/_/ }\") | \"\(.opened) \(.closed) \(.cycles) \(.per_call.count)\"" \
                        "$WORK/spans")" "$(said $name) $(said $name) $(said $name) $(said $name)"
        done
        expect_at_least "$threads threads: spans" "$(total closed)" 2000000
        expect "$threads threads: quality" "$(jq -c '[.spans[].quality] | unique' "$WORK/spans")" '["exact"]'
        expect "$threads threads: refused" "$(said refused) $(said unmatched) $(ps_field "$program" refused)" "0 0 0"
        expect_balanced "$program"
        note "$threads threads: $(total closed) spans, $(ps_field "$program" records) records, counters of the process" \
                "$(ps_field "$program" alloc_count) allocations as with no span"
        end
}
export SPANALLOC_ON_FULL=wait
million 1
million 4

# More names, paths and depth than there is room for.
begin "$PROGRAMS/span_silent" crowded 100 1
through
expect "crowded: counters before and after" "$(counters)" "$at_ready"
wait_for "the last close" all_closed
zeros crowded
expect_at_least "crowded: spans without a name of their own" "$(said other_names)" 1000
expect_at_least "crowded: spans without a path of their own" "$(said other_paths)" 1000
expect_at_least "crowded: enters beyond the stack" "$(said refused_depth)" 1000
expect "crowded: scopes" "$(jq '.spans[] | select(.span == "deep") | .cycles + .refused' "$WORK/spans")" "$(said deep)"
expect "crowded: refused" "$(ps_field "$program" refused)" "$(said refused)"
expect "crowded: all closed" "$(total closed)" $((20000 + 400 * 401 + $(said deep) - $(said refused_depth)))
expect_balanced "$program"
note "crowded: $(total closed) spans of $(jq '[.spans[] | select(.thread == "")] | length' "$WORK/spans") names; $(said other_names) had no name," \
        "$(said other_paths) no path, $(said refused_depth) were too deep"
end

# A thread that may wait takes the long way through each call; here the short one.  What a loaded machine refuses is no
# cycle, and zero as well.
unset SPANALLOC_ON_FULL
for threads in 1 4; do
        SPANALLOC_RING_KIB=8192 with 0 "$threads"
        without=$at_done
        end
        SPANALLOC_RING_KIB=8192 with 500000 "$threads"
        expect "$threads threads, short calls: all counters, as with no span at all" "$at_done" "$without"
        document
        zeros "$threads threads, short calls"
        expect "$threads threads, short calls: enters" "$(($(total cycles) + $(said refused_enters)))" \
                $((4 * $(said inner)))
        expect_balanced "$program"
        note "$threads threads, short calls: $(total cycles) cycles, $(said refused) calls refused"
        end
done

# Full rings: nothing is drained until the program is through.
SPANALLOC_RING_KIB=16 begin "$PROGRAMS/span_silent" plain 40000 1
kill -STOP "$COLLECTOR_PID"
through
kill -CONT "$COLLECTOR_PID"
expect "full: counters before and after" "$(counters)" "$at_ready"
document
zeros full
expect_at_least "full: refused enters" "$(said refused_enters)" 100000
expect "full: enters" "$(($(total cycles) + $(said refused_enters)))" $((4 * $(said inner)))
expect "full: refused" "$(ps_field "$program" refused)" "$(said refused)"
expect_balanced "$program"
note "full rings: $(said refused) calls refused, $(total cycles) cycles"
end

# Between the marks, each thread enters the kernel for the doorbell only, as often as the statistics say.
begin strace -f -qq -o "$WORK/trace" "$PROGRAMS/span_silent" plain 200000 4
through
end
marks=$(grep -c 'sched_get_priority_max(0x1e1[56] ' "$WORK/trace" || true)
expect "marks in the trace" "$marks" 8
awk '/sched_get_priority_max\(0x1e15 / { within[$1] = 1; next }
        /sched_get_priority_max\(0x1e16 / { within[$1] = 0; next }
        within[$1] && match($2, /^[a-z_0-9]+\(/) { print substr($2, 1, RLENGTH - 1) }' "$WORK/trace" >"$WORK/calls"
expect "system calls other than the doorbell's" "$(grep -vx futex "$WORK/calls" | sort | uniq -c || true)" ""
expect "doorbells" "$(grep -cx futex "$WORK/calls" || true) 0" "$(said doorbells) $(said waits)"
note "in 200000 rounds of 4 threads: $(said doorbells) doorbells, no other system call"
stop_collector
pass
