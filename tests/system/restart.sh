#!/bin/bash
# SPDX-License-Identifier: MIT
# The life of the service: restart, stop and start, reload, the watchdog, and a configuration that it cannot start with.
# Timeout: 1800
. "$(dirname "$0")/../support/booted.sh"
boot_up
boot_install
# So that a daemon that hangs is found while we wait.
boot_unit spanallocd.service.d/soon.conf <<<$'[Service]\nWatchdogSec=4s'
inside systemctl start spanallocd

work='while (1) { my @list = map { "x$_" } 1 .. 100; select(undef, undef, undef, 0.02) }'
boot_start ticker User=bob Environment=LD_PRELOAD=libspanalloc-malloc.so.0 -- perl -e "${work//\$/\$\$}"
ticker=$(boot_main_pid ticker)
has_ticker() {
        [ "$(json "[.processes[] | select(.pid == $ticker and .alive)] | length" ps)" = 1 ]
}
wait_for "a program" has_ticker

note "restart"
before=$(boot_main_pid spanallocd)
inside systemctl restart spanallocd
[ "$(boot_main_pid spanallocd)" != "$before" ] || fail "it did not restart"
wait_for "the program to come back" has_ticker
expect_balanced

note "stop holds, though programs look for a collector"
inside systemctl stop spanallocd
for socket in ingest query; do
        expect "spanallocd-$socket.socket" "$(boot_property "spanallocd-$socket.socket" ActiveState)" inactive
        [ ! -e "$(boot_file "/run/spanalloc/$socket.sock")" ] || fail "$socket.sock is left"
done
expect_status 3 ctl status
expect_match "what spanallocctl advises" "$(cat "$WORK/err")" '`systemctl start spanallocd`'
sleep 3
expect "the service, stopped" "$(boot_property spanallocd ActiveState)" inactive
inside systemctl start spanallocd
wait_for "the program to come back" has_ticker
expect_balanced

note "the watchdog: a daemon that works is left alone"
before=$(boot_main_pid spanallocd)
sleep 9
expect "the daemon, two timeouts later" "$(boot_main_pid spanallocd)" "$before"

note "the watchdog: a stopped daemon is killed and replaced, with programs and without"
replaced() {
        local now
        now=$(boot_main_pid spanallocd)
        [ "$now" != 0 ] && [ "$now" != "$before" ] && boot_is_active
}
for who in with without; do
        [ "$who" = with ] || inside systemctl stop ticker
        before=$(boot_main_pid spanallocd)
        inside systemctl kill -s STOP --kill-whom=main spanallocd
        wait_for -t 60 "another daemon ($who programs)" replaced
        ctl status >"$WORK/out" || fail "the new one does not answer"
done
expect_match "the journal" "$(inside journalctl -q --no-pager -u spanallocd)" 'Watchdog timeout'
note "… and one that works is not, without any process attached, either"
before=$(boot_main_pid spanallocd)
sleep 9
expect "the daemon, two timeouts later" "$(boot_main_pid spanallocd)" "$before"
# From here on a busy machine may hold a daemon up for more than four seconds.
boot_unit spanallocd.service.d/soon.conf <<<$'[Service]\nWatchdogSec=60s'
inside systemctl restart spanallocd
before=$(boot_main_pid spanallocd)

note "reload"
# attached USER: how many programs of the user are in the books, alive.
attached() {
        json "[.processes[] | select(.alive and .uid == $(inside id -u "$1"))] | length" ps
}
mkdir -p "$(boot_file /etc/spanalloc/spanallocd.conf.d)"
echo 'max-processes-per-uid = 5' >"$(boot_file /etc/spanalloc/spanallocd.conf)"
echo 'max-processes-per-uid = 2' >"$(boot_file /etc/spanalloc/spanallocd.conf.d/10-few.conf)"
was_reloaded() {
        inside journalctl -q --no-pager -t spanallocd -o cat | grep -q "$1"
}
inside systemctl reload spanallocd
wait_for "the new limits" was_reloaded 'read the configuration again: .* 2 of one user'
expect "the daemon" "$(boot_main_pid spanallocd)" "$before"
boot_start three User=bob Environment=LD_PRELOAD=libspanalloc-malloc.so.0 -- \
        perl -e "for (1 .. 2) { last unless fork } ${work//\$/\$\$}"
has_rejected() {
        [ "$(json .status.rejected status)" -ge 1 ] && [ "$(attached bob)" = 2 ]
}
wait_for -t 60 "two programs of bob, and one too many" has_rejected
echo 'no-such-limit = 2' >"$(boot_file /etc/spanalloc/spanallocd.conf.d/20-wrong.conf)"
inside systemctl reload spanallocd
wait_for "the mistake to be told" was_reloaded '20-wrong.conf:1: there is no option "no-such-limit"'
expect "the daemon" "$(boot_main_pid spanallocd) $(boot_property spanallocd ActiveState)" "$before active"
rm "$(boot_file /etc/spanalloc/spanallocd.conf.d/10-few.conf)"
rm "$(boot_file /etc/spanalloc/spanallocd.conf.d/20-wrong.conf)"
inside systemctl reload spanallocd
has_three() {
        [ "$(attached bob)" = 3 ]
}
wait_for -t 60 "the third, which tries again by itself" has_three

note "the example, with all that it names switched on"
sed 's/^#\([a-z-]* =\)/\1/' "$(boot_file /usr/local/share/doc/spanalloc/spanallocd.conf)" \
        >"$(boot_file /etc/spanalloc/spanallocd.conf)"
expect_at_least "options in it" "$(grep -c '^[a-z-]* = ' "$(boot_file /etc/spanalloc/spanallocd.conf)")" 5
has_read_defaults() {
        was_reloaded 'read the configuration again: .* 1024 of one user'
}
inside systemctl reload spanallocd
wait_for "the reload" has_read_defaults

note "a configuration that it cannot start with"
echo 'keep = long' >"$(boot_file /etc/spanalloc/spanallocd.conf)"
! inside systemctl restart spanallocd 2>"$WORK/err" || fail "it starts all the same"
expect "the service" "$(boot_property spanallocd ActiveState)" failed
# A program that looks for a collector would start it again and again.
boot_start newcomer User=alice Environment=LD_PRELOAD=libspanalloc-malloc.so.0 -- perl -e "${work//\$/\$\$}"
is_failed() {
        [ "$(boot_property spanallocd ActiveState)" = failed ] &&
                [ "$(boot_property spanallocd-ingest.socket ActiveState)" = failed ]
}
wait_for -t 60 "it to stay down" is_failed
expect_match "the journal" "$(inside journalctl -q --no-pager -t spanallocd -o cat)" \
        'spanallocd.conf:1: keep must be seconds'
expect_status 3 ctl status
sleep 2
expect "the service, a while later" "$(boot_property spanallocd ActiveState)" failed
echo 'keep = 60' >"$(boot_file /etc/spanalloc/spanallocd.conf)"
inside systemctl reset-failed 'spanallocd*'
inside systemctl start spanallocd
wait_for -t 120 "the programs to come back" has_three
has_newcomer() {
        [ "$(attached alice)" = 1 ]
}
wait_for -t 60 "the one that nobody listened to" has_newcomer
expect_balanced

note "crash after crash"
# However long it takes here.
expect "the time in which starts are counted" "$(boot_property spanallocd StartLimitIntervalUSec)" 1min
boot_unit spanallocd.service.d/long.conf <<<$'[Unit]\nStartLimitIntervalSec=1h'
inside systemctl reset-failed 'spanallocd*'
is_another_or_failed() {
        [ "$(boot_property spanallocd ActiveState)" = failed ] || replaced
}
for crash in 1 2 3 4 5 6 7; do
        before=$(boot_main_pid spanallocd)
        inside systemctl kill -s SEGV --kill-whom=main spanallocd
        wait_for -t 60 "what comes after crash $crash" is_another_or_failed
        [ "$(boot_property spanallocd ActiveState)" != failed ] || break
done
# Five starts are granted, beside the one that was before they were counted.
expect "crashes until systemd gives up" "$crash" 6
boot_start late User=alice Environment=LD_PRELOAD=libspanalloc-malloc.so.0 -- perl -e "${work//\$/\$\$}"
wait_for -t 60 "it to stay down" is_failed
expect_match "what the journal says" "$(inside journalctl -q --no-pager -u spanallocd -o cat)" \
        'Start request repeated too quickly'
expect "why, in short" "$(boot_property spanallocd-ingest.socket Result)" service-start-limit-hit
inside systemctl reset-failed 'spanallocd*'
inside systemctl start spanallocd
wait_for -t 60 "the programs to come back" has_three
expect_balanced
pass
