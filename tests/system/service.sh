#!/bin/bash
# SPDX-License-Identifier: MIT
# The installed service: started by its sockets, serving programs of several users, with io_uring under its filter, and
# with poll where that is refused; which users may ask, and how much of the machine it could reach.
# Timeout: 1800
. "$(dirname "$0")/../support/booted.sh"
boot_up
boot_install

note "the units, as systemd-analyze reads them"
for scope in system user; do
        inside env XDG_RUNTIME_DIR=/run systemd-analyze verify --man=no --$scope spanallocd.service spanallocd-ingest.socket \
                spanallocd-query.socket >"$WORK/out" 2>&1 || fail "$scope: $(cat "$WORK/out")"
        expect "complaints about units of the $scope" "$(grep spanalloc "$WORK/out" || true)" ""
done

note "the preset, and sockets alone"
inside systemctl -q preset spanallocd.service spanallocd-ingest.socket spanallocd-query.socket
expect "enabled" "$(inside systemctl is-enabled spanallocd-ingest.socket spanallocd-query.socket \
        spanallocd.service | tr '\n' ' ')" "enabled enabled disabled "
inside systemctl start spanallocd-ingest.socket spanallocd-query.socket
expect "the directory" "$(inside stat -c '%a %U %G' /run/spanalloc)" "755 spanalloc spanalloc"
expect "ingest.sock" "$(inside stat -c '%a %U %G' /run/spanalloc/ingest.sock)" "666 root root"
expect "query.sock" "$(inside stat -c '%a %U %G' /run/spanalloc/query.sock)" "660 root spanalloc"
expect "the daemon, before anybody came" "$(boot_property spanallocd.service ActiveState)" inactive

note "a program starts it"
boot_start ticker User=bob Environment=LD_PRELOAD=libspanalloc-malloc.so.0 -- \
        perl -e 'while (1) { my @list = map { "x$_" } 1 .. 100; select(undef, undef, undef, 0.05) }'
wait_for "the service to be started by a program" boot_is_active
ticker=$(boot_main_pid ticker)
has_ticker() {
        [ "$(json "[.processes[] | select(.pid == $ticker and .alive)] | length" ps)" = 1 ]
}
wait_for "its row" has_ticker
json_true "its row" ".processes[] | select(.pid == $ticker) | .unit == \"ticker.service\" and .uid == 1002 and
        .exe == \"/usr/bin/perl\" and .counting == \"libspanalloc-malloc\"" ps
expect "the daemon's user" "$(json .status.uid status)" "$(inside id -u spanalloc)"
expect "its capabilities" "$(inside grep CapEff "/proc/$(boot_main_pid spanallocd)/status" | cut -f 2)" 0000000000080000

note "an exact ledger of each user, while a call that the filter refuses would kill"
boot_unit spanallocd.service.d/kill.conf <<<$'[Service]\nSystemCallErrorNumber='
inside systemctl restart spanallocd
expect "filters" "$(inside grep -c 'Seccomp:.2' "/proc/$(boot_main_pid spanallocd)/status")" 1
wanted=poll
inside cat /proc/sys/kernel/io_uring_disabled 2>/dev/null | grep -qv 0 || wanted=io_uring
# What the machine itself refuses, the filter cannot grant.
"$BUILD/tests/no_io_uring" --probe || wanted=poll
expect "the backend" "$(json .status.backend status)" "$wanted"
declare -A crowd
for user in root alice bob; do
        boot_start "crowd-$user" "User=$user" Environment='SPANALLOC_ON_FULL=wait' RemainAfterExit=yes -- \
                /opt/tests/span_crowd 4 40000
        crowd[$user]=$(boot_main_pid "crowd-$user")
done
all_done() {
        [ "$(inside grep -l done /run/crowd-{root,alice,bob}.out | wc -l)" = 3 ]
}
wait_for -t 120 "the crowds" all_done
for user in root alice bob; do
        boot_ledger "crowd-$user" "${crowd[$user]}"
        expect "the uid of crowd-$user" "$(ps_field "${crowd[$user]}" uid)" "$(inside id -u "$user")"
        expect "the unit of crowd-$user" "$(ps_field "${crowd[$user]}" unit)" "crowd-$user.service"
done
expect_balanced

note "which users may ask"
expect_status 0 inside_as alice spanallocctl --json=short ps
expect "what a member of the group sees" "$(jq '[.processes[].uid] | unique | length' "$WORK/out")" 3
expect_status 3 inside_as bob spanallocctl status
expect_match "what anybody else is told" "$(cat "$WORK/err")" 'join the group spanalloc'
expect "lines of it" "$(wc -l <"$WORK/err")" 1
# An administrator may let the others ask for what is theirs.
boot_unit spanallocd-query.socket.d/everybody.conf <<<$'[Socket]\nSocketMode=0666'
inside systemctl restart spanallocd-query.socket
expect_status 0 inside_as alice spanallocctl status
expect_status 0 inside_as bob spanallocctl --json=short ps
expect "what anybody else sees then" "$(jq -c '[.processes[].uid] | unique' "$WORK/out")" "[1002]"

note "how exposed it is, while it serves"
touch "$(boot_file /run/busy)"
chmod 666 "$(boot_file /run/busy)"
boot_start busy User=alice Environment=SPANALLOC_ON_FULL=wait -- /opt/tests/span_crowd 4 0 /run/busy
busy=$(boot_main_pid busy)
serves() {
        [ "$(ps_field "$busy" records)" -gt 10000 ]
}
wait_for -t 60 "records of the load" serves
inside systemd-analyze security --no-pager --threshold=15 spanallocd.service >"$WORK/security" ||
        fail "more than 1.5: $(grep '✗' "$WORK/security"; tail -n 1 "$WORK/security")"
note "$(tail -n 1 "$WORK/security")"
expect "the load, meanwhile" "$(ps_field "$busy" alive)" true
expect "restarts" "$(boot_property spanallocd NRestarts)" 0
inside systemctl stop busy

note "where io_uring is refused"
rm "$(boot_file /etc/systemd/system/spanallocd.service.d/kill.conf)"
boot_unit spanallocd.service.d/poll.conf <<<$'[Service]\nSystemCallFilter=~io_uring_setup'
inside systemctl restart spanallocd
expect "the backend" "$(json .status.backend status)" poll
expect_match "why" "$(json .status.backend_why status)" 'io_uring is refused'
wait_for "the program to come back" has_ticker
expect "what went wrong" "$(inside systemctl --failed --no-legend --plain)" ""
pass
