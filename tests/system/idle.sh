#!/bin/bash
# SPDX-License-Identifier: MIT
# Idle is free: with no process attached the daemon wakes only for the watchdog, with a hundred idle programs a few times a
# second; and STATUS= has the number of processes without a query.
# Timeout: 1800
. "$(dirname "$0")/../support/booted.sh"
boot_up
boot_install
# The watchdog's wakes are far apart, so the wakes that are counted in between have another cause.
boot_unit spanallocd.service.d/rare.conf <<<$'[Service]\nWatchdogSec=1h'
inside systemctl start spanallocd
daemon=$(boot_main_pid spanallocd)

# How often any thread of the daemon has slept, and so woken.
wakes() {
        inside bash -c "cat /proc/$daemon/task/*/status" |
                sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' | awk "{ n += \$1 } END { print n }"
}
# wakes_in SECONDS
wakes_in() {
        local before
        before=$(wakes)
        sleep "$1"
        echo $(($(wakes) - before))
}
# calm MOST: a second, or what this machine takes for one, with no more wakes than that: what came before is done.
calm() {
        [ "$(wakes_in 1)" -le "$1" ]
}
status_text() {
        boot_property spanallocd StatusText
}
status_is() {
        [[ $(status_text) == $1 ]]
}

note "no process attached"
wait_for "STATUS=" status_is "0 processes, 0 records/s, 0 dropped"
wait_for "calm" calm 0
expect "wakes in 8 s" "$(wakes_in 8)" 0

note "a hundred idle programs"
# A program that finds the collector busy looks again later, as long as it works; so they work until all are there.
touch "$(boot_file /run/work)"
boot_start idlers Environment=LD_PRELOAD=libspanalloc-malloc.so.0 -- \
        perl -e 'sub work { while (-e "/run/work") { my @list = map { "x$$_" } 1 .. 1000; select(undef, undef, undef, 0.1) } }
                for (1 .. 100) { fork || do { work(); sleep 1000; exit } } work(); sleep 1000'
all_here() {
        [ "$(json '.processes | map(select(.alive)) | length' ps)" = 101 ]
}
wait_for -t 60 "all of them" all_here
wait_for -t 60 "STATUS=" status_is "101 processes, *"
rm "$(boot_file /run/work)"
# What they did at their start is drained and named; then the daemon sleeps deeply.
sleep 4
wait_for "calm" calm 5
n=$(wakes_in 10)
note "$n wakes in 10 s"
[ "$n" -le 50 ] || fail "$n wakes in 10 s"
[ "$n" -ge 5 ] || fail "only $n wakes in 10 s: are they counted?"

note "gone again"
inside systemctl stop idlers
wait_for -t 60 "STATUS=" status_is "0 processes, 0 records/s, 0 dropped"
sleep 8
wait_for "calm" calm 0
expect "wakes in 8 s" "$(wakes_in 8)" 0
expect "restarts" "$(boot_property spanallocd NRestarts)" 0
pass
