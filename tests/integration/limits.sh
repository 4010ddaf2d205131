#!/bin/bash
# SPDX-License-Identifier: MIT
# Two users, who are not root, and a collector of the whole machine: each sees his own processes and no other's; root and
# the group see all.  And each limit of a user: what is beyond it is refused or left out, is counted in status and told in
# the log, and the other user notices nothing.
#
# Optional: only root can become other users.
. "$(dirname "$0")/../support/lib.sh"
[ "$(id -u)" = 0 ] || skip "it takes root to become other users"

# What they run has to lie where they can go.
alice=61001
bob=61002
chmod 755 "$WORK" "$RUNTIME"
mkdir "$WORK/bin"
cp "$PROGRAMS/static_limits" "$CTL" "$WORK/bin/"
cp "$PRELOAD" "$WORK/bin/preload.so"
mkfifo "$WORK/hold"
exec 7<>"$WORK/hold"

as() {
        local uid=$1
        shift
        setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
}
# hold UID NAMES THREADS: in the background, until its input ends; $SPAWNED and what it said in $SAID.
hold() {
        local out
        out=$(mktemp "$WORK/said.XXXXXX")
        setpriv --reuid "$1" --regid "$1" --clear-groups env SPANALLOC_SOCKET="$INGEST" LD_PRELOAD="$WORK/bin/preload.so" SPANALLOC_ATTACH_MS=60000 \
                "$WORK/bin/static_limits" "$2" "$3" <"$WORK/hold" >"$out" &
        SPAWNED=$!
        wait_for -t 120 "a program of user $1" grep -q . "$out"
        SAID=$(cat "$out")
}
ask() {
        as "$1" "$WORK/bin/spanallocctl" --socket "$QUERY" --json=short "${@:2}"
}
serve() {
        "$DAEMON" --system --runtime-dir "$RUNTIME" --config /dev/null "$@" </dev/null >>"$WORK/collector.log" 2>&1 &
        COLLECTOR_PID=$!
        wait_for "the collector" ctl status
}
status() {
        json ".status.$1" status
}
told() {
        wait_for "a line in the log about $1" grep -q "user $alice is at the limit of .*(--$1)" "$WORK/collector.log"
}

note "who sees what"
serve
hold $alice 3 2
first=$SPAWNED
hold $bob 2 1
expect "who attached" "$SAID" "attached 0"
pids() {
        jq -c '[.processes[].uid] | unique' <<<"$1"
}
expect "alice sees" "$(pids "$(ask $alice ps)")" "[$alice]"
expect "bob sees" "$(pids "$(ask $bob ps)")" "[$bob]"
expect "root sees" "$(pids "$(ctl --json=short ps)")" "[$alice,$bob]"
expect "alice's spans" "$(ask $alice spans | jq -c '[.spans[].uid] | unique')" "[$alice]"
expect "bob's tree" "$(ask $bob tree | jq -c '[.. | .pid? // empty] | unique')" "[$SPAWNED]"
expect_status 4 as $bob "$WORK/bin/spanallocctl" --socket "$QUERY" spans --pid "$first"
expect_status 4 as $bob "$WORK/bin/spanallocctl" --socket "$QUERY" show name-2
setpriv --reuid $bob --regid $bob --clear-groups \
        "$WORK/bin/spanallocctl" --socket "$QUERY" --json=short follow >"$WORK/followed" &
follower=$!
both() {
        as $alice env SPANALLOC_SOCKET="$INGEST" "$WORK/bin/static_limits" 5 1 </dev/null
        as $bob env SPANALLOC_SOCKET="$INGEST" "$WORK/bin/static_limits" 5 1 </dev/null
        [ -s "$WORK/followed" ]
}
wait_for -t 60 "bob to follow" both
kill "$follower"
wait_status "$follower"
expect "bob follows" "$(jq -R 'fromjson? | .uid // empty' "$WORK/followed" | sort -u)" "$bob"
expect_status 1 as $bob "$WORK/bin/spanallocctl" --socket "$QUERY" reset
# The group of the socket's file: here root's, whose members see all.
expect "the group sees" "$(pids "$(setpriv --reuid $bob --regid $bob --groups 0 \
        "$WORK/bin/spanallocctl" --socket "$QUERY" --json=short ps)")" "[$alice,$bob]"
stop_collector

note "each limit"
serve --max-processes-per-uid 2 --max-names-per-uid 12 --max-paths-per-uid 9 --max-threads-per-uid 6 \
        --max-connections-per-uid 1
hold $alice 10 2
hold $alice 10 2
expect "the second" "$SAID" "attached 0"
hold $alice 1 1
expect "the third process" "$SAID" "refused -122"
told max-processes-per-uid
hold $bob 8 1
expect "bob" "$SAID" "attached 0"
wait_for "alice's names to reach the limit" eval '[ "$(status limited_names)" -gt 0 ] || [ "$(status limited_paths)" -gt 0 ]'
wait_true "alice has (other)" "[.spans[] | select(.uid == $alice and .span == \"(other)\")] | length > 0" spans
json_true "bob has his eight names, and no (other)" "[.spans[] | select(.uid == $bob and .thread == \"\") | .span] | length == 8" spans
expect_at_least "limited_processes" "$(status limited_processes)" 1
told max-paths-per-uid

# Eight threads in all (each has its main thread, too): two are beyond the six.
hold $bob 1 9
wait_for "the threads that are left out" eval '[ "$(status limited_threads)" -gt 0 ]'
wait_true "the row says so" "[.processes[] | select(.uid == $bob and (.counting | test(\"no place in the books\")))] |
        length == 1" ps
expect_balanced

# One connection, for good; the next is turned away.
follower=
second_is_refused() {
        if [ -z "$follower" ] || ! kill -0 "$follower"; then
                setpriv --reuid $bob --regid $bob --clear-groups \
                        "$WORK/bin/spanallocctl" --socket "$QUERY" follow &
                follower=$!
        fi
        ! as $bob "$WORK/bin/spanallocctl" --socket "$QUERY" status && kill -0 "$follower"
}
wait_for -t 60 "the second connection to be refused" second_is_refused
wait_for "the refused query in status" eval '[ "$(status limited_queries)" -gt 0 ]'
wait_for "the log" grep -Eq 'query connection.*max-connections-per-uid' "$WORK/collector.log"
kill "$follower"
stop_collector

note "memory"
serve --max-memory-per-uid 16
hold $bob 5 1
hog=0
for _ in 1 2 3 4; do
        hold $alice 12000 2
        case $SAID in attached*) hog=$((hog + 1)) ;; esac
done
wait_for -t 60 "alice's limit" eval '[ "$(status limited_memory)" -gt 0 ]'
told max-memory-per-uid
wait_for "the log" grep -Eq "expelled: .*max-memory-per-uid" "$WORK/collector.log"
json_true "bob is there" "[.processes[] | select(.uid == $bob and .alive)] | length == 1" ps
stop_collector
exec 7>&-
pass "$hog of four large ones were let in"
