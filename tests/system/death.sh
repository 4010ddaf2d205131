#!/bin/bash
# SPDX-License-Identifier: MIT
# A service that the kernel kills because memory ran out: ps says so, and the journal says what it was doing.  One that is
# killed by somebody is not told from it by guesswork.
# Timeout: 1800
. "$(dirname "$0")/../support/booted.sh"
boot_up
boot_install
inside systemctl start spanallocd-ingest.socket spanallocd-query.socket spanallocd.service

ended_of() {
        json ".processes[] | select(.unit == \"$1.service\") | .ended" ps
}
entry() {
        inside journalctl -q --no-pager -o json OBJECT_SYSTEMD_UNIT="$1.service" \
                MESSAGE_ID=0d8a4c1be6a94f0c8e5f7b3a6c2d9e10 | jq -s -r "$2"
}

is_told() {
        [ "$(entry "$1" length)" = 1 ]
}

note "somebody kills it"
boot_start killed User=bob -- /opt/tests/span_dies kill
wait_for -t 60 "the entry" is_told killed
# Before Linux 6.15 the kernel does not report how.
expect_match "how it ended" "$(ended_of killed)" '^(killed by SIGKILL|exited)$'
expect "the cause" "$(entry killed '.[].SPANALLOC_REASON')" unknown
expect "the spans" "$(entry killed '.[].SPANALLOC_SPANS')" \
        'batch 4.9 KiB, request 1.1 KiB, request/query 1000 B, job 10 B'
expect_match "the rates" "$(entry killed '.[].SPANALLOC_RATES')" 'batch [0-9.]+'
expect_match "as a reader has it" "$(inside journalctl -q --no-pager -x OBJECT_SYSTEMD_UNIT=killed.service)" \
        'A program was killed'

if inside grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
        note "memory runs out"
        # Should the limit not hold, that of the address space does.
        boot_start hungry User=bob MemoryMax=24M MemorySwapMax=0 LimitAS=1G -- /opt/tests/span_dies oom
        wait_for -t 60 "the entry" is_told hungry
        expect "how it ended" "$(ended_of hungry)" "killed by SIGKILL: out of memory"
        expect "the cause" "$(entry hungry '.[].SPANALLOC_REASON')" "out of memory"
else
        note "cgroups cannot limit memory here: that part is left out"
fi
pass
