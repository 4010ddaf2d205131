#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's redis-server, which has jemalloc inside, under the counters and under load: it serves, its own statistics
# and the counters move, ps names jemalloc, and it ends in its own way.
. "$(dirname "$0")/../support/lib.sh"
need jq redis-server redis-benchmark redis-cli

REQUESTS=20000

cli() {
        redis-cli -s "$WORK/redis.sock" "$@" | tr -d '\r'
}

start_collector
LD_PRELOAD=$PRELOAD redis-server --port 0 --unixsocket "$WORK/redis.sock" --dir "$WORK" --save '' --appendonly no \
        >"$WORK/redis.log" 2>&1 &
PID=$!
wait_for "redis to answer" cli ping

before=$(ps_field "$PID" alloc_count)
used_before=$(cli info memory | sed -n 's/^used_memory://p')
redis-benchmark -s "$WORK/redis.sock" -n "$REQUESTS" -r 10000 -d 200 -q -t set,get,lpush,hset,sadd >"$WORK/benchmark" 2>&1 ||
        fail "redis-benchmark: $(tail -n 3 "$WORK/benchmark")"
note "$(tr '\r' '\n' <"$WORK/benchmark" | grep 'requests per second' | tr '\n' ';')"
expect "requests served" "$(($(cli info stats | sed -n 's/^total_commands_processed://p') >= 5 * REQUESTS))" 1

after=$(ps_field "$PID" alloc_count)
used_after=$(cli info memory | sed -n 's/^used_memory://p')
net=$(json ".processes[] | select(.pid == $PID) | .alloc_bytes - .dealloc_bytes" ps)
note "redis says $used_before B in use, then $used_after; counted $before allocations, then $after; net $net B"
expect_at_least "allocations counted during the benchmark" $((after - before)) "$REQUESTS"
expect_at_least "net bytes counted" "$net" $((used_after - used_before))
expect_match "redis's allocator" "$(cli info memory | grep mem_allocator)" jemalloc
expect_match "what ps calls it" "$(ps_field "$PID" counting)" jemalloc

cli shutdown nosave >/dev/null || true
wait_status "$PID"
expect "redis's exit status" "$STATUS" 0
expect_balanced "$PID"
pass
