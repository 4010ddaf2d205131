#!/bin/bash
# SPDX-License-Identifier: MIT
# What the journal says of the collector: each message with its id and fields, and an explanation in the catalog.
# Timeout: 1800
. "$(dirname "$0")/../support/booted.sh"
boot_up
boot_install

# message NAME: its id.
message() {
        sed -nE "s/^ *X\($1, [A-Z]+, \"([0-9a-f]+)\"\).*/\1/p" "$SOURCE/daemon/host/log.h"
}
# said NAME [FILTER]: the last such message, as JSON, for which the filter is true.
said() {
        inside journalctl -q --no-pager -o json "MESSAGE_ID=$(message "$1")" | jq -c "select(${2:-true})" | tail -n 1
}
has_said() {
        [ -n "$(said "$@")" ]
}
# explained NAME TEXT: what -x shows for it has the text.
explained() {
        inside journalctl -q --no-pager -x "MESSAGE_ID=$(message "$1")" >"$WORK/out"
        grep -qF -- "$2" "$WORK/out" || fail "the catalog's text for $1 lacks '$2': $(cat "$WORK/out")"
}
# field NAME FIELD
field() {
        said "$1" | jq -r ".$2"
}

note "every message is in the catalog that was installed"
while read -r id; do
        inside journalctl --dump-catalog "$id" | grep -q '^Subject: .' || fail "$id is not explained"
done < <(sed -nE 's/^ *X\([A-Z_]+, [A-Z]+, "([0-9a-f]+)"\).*/\1/p' "$SOURCE/daemon/host/log.h")

note "start, attach"
inside systemctl start spanallocd
wait_for "the message about the start" has_said STARTED
explained STARTED "programs can attach"
wait_for "the message about the backend" has_said BACKEND
boot_start ticker User=bob Environment=LD_PRELOAD=libspanalloc-malloc.so.0 -- sleep 1000
ticker=$(boot_main_pid ticker)
wait_for "the message" has_said ATTACHED ".PEER_PID == \"$ticker\""
expect "who" "$(field ATTACHED PEER_UID)" 1002
expect "of which unit" "$(field ATTACHED SPANALLOC_UNIT)" ticker.service
expect "its level" "$(field ATTACHED PRIORITY)" 6
expect "by whom" "$(field ATTACHED _SYSTEMD_UNIT) $(field ATTACHED SYSLOG_IDENTIFIER)" "spanallocd.service spanallocd"
explained ATTACHED "Process $ticker"

note "a restart, and what was taken over"
inside systemctl restart spanallocd
wait_for "the message" has_said TAKEN_OVER
expect "programs" "$(field TAKEN_OVER SPANALLOC_COUNT)" 1
explained TAKEN_OVER "for 1 programs"

note "expelled"
boot_start vandal User=alice -- /opt/tests/span_vandal
vandal=$(boot_main_pid vandal)
wait_for "the message" has_said EXPELLED ".PEER_PID == \"$vandal\""
[ -n "$(field EXPELLED SPANALLOC_REASON)" ] || fail "no reason"
explained EXPELLED "$(field EXPELLED SPANALLOC_REASON)"
expect "the program" "$(boot_property vandal ActiveState)" active
expect_match "its row" "$(ps_field "$vandal" ended)" '^expelled'

note "records dropped, coverage lost"
boot_start flood User=alice Environment="LD_PRELOAD=libspanalloc-malloc.so.0 SPANALLOC_RING_KIB=16" \
        RemainAfterExit=yes -- /opt/tests/span_run 40000 5
flood=$(boot_main_pid flood)
wait_for -t 60 "the message" has_said DROPPED ".SPANALLOC_COMM == \"span_run\""
wait_for -t 60 "the message" has_said COVERAGE ".SPANALLOC_COMM == \"span_run\""
[ "$flood" = 0 ] || expect "who" "$(field DROPPED PEER_PID)" "$flood"
pid=$(field DROPPED PEER_PID)
ended() {
        [ "$(ps_field "$pid" alive)" = false ]
}
wait_for -t 60 "its end" ended
all_told() {
        [ "$(inside journalctl -q -o json "MESSAGE_ID=$(message DROPPED)" "PEER_PID=$pid" |
                jq -s '[.[].SPANALLOC_COUNT | tonumber] | add')" = "$(ps_field "$pid" refused)" ]
}
wait_for "how many were dropped, over all messages" all_told
explained DROPPED "could not write $(field DROPPED SPANALLOC_COUNT) records"
explained COVERAGE "$(field COVERAGE SPANALLOC_COUNT) bytes"

note "a limit"
mkdir -p "$(boot_file /etc/spanalloc)"
printf 'max-processes-per-uid = 1\nlog-level = debug\n' >"$(boot_file /etc/spanalloc/spanallocd.conf)"
inside systemctl reload spanallocd
wait_for "the reload" has_said RELOADED
boot_start second User=bob Environment=LD_PRELOAD=libspanalloc-malloc.so.0 -- sleep 1000
wait_for "the message" has_said LIMIT '.PEER_UID == "1002"'
explained LIMIT "a limit is reached"

note "the end of a program, with the level that was reloaded"
inside systemctl stop ticker
wait_for "the message" has_said ENDED ".PEER_PID == \"$ticker\""
explained ENDED "Process $ticker (sleep)"

note "a journal that does not read"
journald=$(boot_main_pid systemd-journald)
collector=$(json .status.pid status)
inside bash -c "kill -STOP $journald"
drops() {
        inside bash -c "for _ in {1..50}; do kill -HUP $collector; sleep 0.01; done"
        [ "$(json .status.log_dropped status)" -gt 0 ]
}
wait_for -t 60 "lines without room" drops
expect "the collector" "$(json .status.pid status)" "$collector"
inside bash -c "kill -CONT $journald"
goes_on() {
        inside bash -c "kill -HUP $collector"
        has_said MISSING
}
wait_for -t 60 "the message" goes_on
explained MISSING "$(field MISSING SPANALLOC_COUNT) messages before this one"

note "stop"
inside systemctl stop spanallocd
wait_for "the message about the stop" has_said STOPPED
pass
