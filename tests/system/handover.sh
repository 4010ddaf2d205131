#!/bin/bash
# SPDX-License-Identifier: MIT
# systemd keeps the collector's descriptors: killed or restarted under load, it goes on with the same rows and the exact
# sums, of ended processes, too; stopped for good, it leaves nothing, and the next one begins anew.
# Timeout: 1800
. "$(dirname "$0")/../support/booted.sh"
boot_up
boot_install
boot_unit spanallocd.service.d/often.conf <<<$'[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=1ms'
inside systemctl start spanallocd-ingest.socket spanallocd-query.socket

stored() {
        boot_property spanallocd NFileDescriptorStore
}

touch "$(boot_file /run/live)"
chmod 666 "$(boot_file /run/live)"
boot_start crowd User=bob Environment=SPANALLOC_ON_FULL=wait RemainAfterExit=yes -- /opt/tests/span_crowd 4 0 /run/live
boot_start ended User=alice RemainAfterExit=yes -- /opt/tests/span_crowd 2 2000
crowd=$(boot_main_pid crowd)
writes() {
        [ "$(ps_field "$crowd" records)" -gt "${1:-1000}" ]
}
has_ended() {
        [ "$(json '[.processes[] | select(.unit == "ended.service") | .alive][0]' ps)" = false ]
}
wait_for "records" writes
wait_for -t 60 "the end of the short one" has_ended
generation=$(json .status.generation status)
stores() {
        [ "$(stored)" = "$1" ]
}
wait_for "descriptors: the page, the beacon, a living process and an ended one" stores 6

for i in 1 2 3 4 5 6; do
        main=$(boot_main_pid spanallocd)
        records=$(ps_field "$crowd" records)
        if [ "$i" = 4 ]; then
                inside systemctl restart spanallocd
        else
                inside systemctl kill -s KILL spanallocd
        fi
        is_another() {
                [ "$(boot_main_pid spanallocd)" != "$main" ] && boot_is_active
        }
        wait_for "another collector" is_another
        wait_for -t 60 "records after restart $i" writes "$records"
        expect "generation" "$(json .status.generation status)" "$generation"
        expect "rows" "$(json '[.processes[].process] | join(" ")' ps)" "1 2"
done
printf '\1' | dd of="$(boot_file /run/live)" conv=notrunc status=none # stop
is_done() {
        grep -q done "$(boot_file /run/crowd.out)"
}
wait_for -t 120 "the crowd" is_done
boot_ledger crowd "$crowd"
boot_ledger ended "$(json '.processes[] | select(.unit == "ended.service") | .pid' ps)"
expect_balanced

note "stopped for good"
inside systemctl stop spanallocd
wait_for "no descriptors" stores 0
inside systemctl start spanallocd-ingest.socket spanallocd-query.socket
expect "rows" "$(json '.processes | length' ps)" 0
expect "what went wrong" "$(inside systemctl --failed --no-legend --plain)" ""
pass
