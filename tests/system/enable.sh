#!/bin/bash
# SPDX-License-Identifier: MIT
# `spanallocctl enable UNIT` lets a service count, from its next start on or now; `disable` undoes it; for the system and
# for a user, whose own collector a program finds first.
# Timeout: 1800
. "$(dirname "$0")/../support/booted.sh"
boot_up
boot_install
inside systemctl start spanallocd-ingest.socket spanallocd-query.socket

unit() {
        printf '[Service]\nExecStart=%s\n%s\n' "$1" "${2:-}"
}
work="/usr/bin/perl -e 'while (1) { my @list = map { \$\$_ } 1 .. 100; select(undef, undef, undef, 0.02) }'"
dropin=/etc/systemd/system/worker.service.d/spanalloc.conf
boot_unit worker.service < <(unit "$work" 'Environment=LD_PRELOAD=libutil.so.1 OTHER=1')
inside systemctl start worker
# counted UNIT: processes of the unit in the books, alive.
counted_of() {
        json "[.processes[] | select(.alive and .unit == \"$1\")] | length" ps
}
is_counted() {
        [ "$(counted_of "$1")" = 1 ]
}

note "enable: the next start"
main=$(boot_main_pid worker)
ctl enable worker >"$WORK/out" || fail "enable failed"
expect "what is printed" "$(sed -n '2,/^$/p' "$WORK/out")" "$(cat "$(boot_file $dropin)")"
expect "its first line" "$(head -n 1 "$WORK/out")" "# $dropin"
expect_match "the last line" "$(tail -n 1 "$WORK/out")" 'worker.service runs on as before until its next start; --now restarts it'
expect "the process" "$(boot_main_pid worker)" "$main"
expect "its environment, from the next start on" "$(boot_property worker Environment)" \
        "LD_PRELOAD=/usr/local/lib/libspanalloc-malloc.so.0:libutil.so.1 OTHER=1 SPANALLOC=1 SPANALLOC_SECCOMP=allow"
expect "processes in the books" "$(counted_of worker.service)" 0
inside systemctl restart worker
wait_for -t 200 "it in the books" is_counted worker.service

note "disable"
ctl disable worker.service >"$WORK/out" || fail "disable failed"
expect "the first line" "$(head -n 1 "$WORK/out")" "Removed $dropin."
[ ! -e "$(dirname "$(boot_file $dropin)")" ] || fail "the directory is left"
expect "the environment" "$(boot_property worker Environment)" "LD_PRELOAD=libutil.so.1 OTHER=1"
expect_status 4 ctl disable worker
expect_match "the sentence" "$(cat "$WORK/err")" 'worker.service is not enabled'

note "now, and JSON"
main=$(boot_main_pid worker)
ctl --json=short enable --now --ring-kib 64 worker >"$WORK/out" || fail "enable --now failed"
jq -e ".unit == \"worker.service\" and .path == \"$dropin\" and .restarted == 1 and
        (.dropin | contains(\"SPANALLOC_RING_KIB=64\"))" "$WORK/out" >/dev/null || fail "the document: $(cat "$WORK/out")"
[ "$(boot_main_pid worker)" != "$main" ] || fail "it was not restarted"
wait_for -t 200 "it in the books" is_counted worker.service
ctl enable --now worker >/dev/null || fail "enable, a second time"
expect "the library, once" "$(boot_property worker Environment | grep -o libspanalloc-malloc | wc -l)" 1
ctl disable --now worker | grep -q 'was restarted' || fail "disable --now"
wait_for "it out of the books" eval '[ "$(counted_of worker.service)" = 0 ]'

note "a unit that does not run, one that does not start"
inside systemctl stop worker
ctl enable --now worker | grep -q 'is not running' || fail "it runs?"
expect "the unit" "$(boot_property worker ActiveState)" inactive
boot_unit broken.service < <(unit "$work" 'ExecStartPre=/bin/sh -c "! test -e /run/broken"')
inside systemctl start broken
touch "$(boot_file /run/broken)"
expect_status 1 ctl enable --now broken
expect_match "the sentence" "$(cat "$WORK/err")" 'broken.service did not start again: failed; `systemctl status'

note "what is wrong is said"
expect_status 4 ctl enable nothing
expect_match "an unknown unit" "$(cat "$WORK/err")" 'there is no unit nothing.service'
expect_status 2 ctl enable dbus.socket
expect_match "no service" "$(cat "$WORK/err")" 'name a service'
expect_status 2 ctl enable 'getty@'
expect_match "a template" "$(cat "$WORK/err")" 'template'
expect_status 2 ctl enable '../../x'
expect_status 2 ctl enable
boot_unit masked.service < <(unit "$work")
rm "$(boot_file /etc/systemd/system/masked.service)"
inside ln -s /dev/null /etc/systemd/system/masked.service
inside systemctl daemon-reload
expect_status 1 ctl enable masked
expect_match "masked" "$(cat "$WORK/err")" 'masked'
expect_status 1 inside_as bob spanallocctl --system enable worker
expect_match "no permission" "$(cat "$WORK/err")" 'no permission to change .*; run this as root, or with --user'
expect_status 1 ctl enable --preload /nowhere/lib.so worker
boot_unit static.service < <(unit /sbin/ldconfig)
expect_status 0 ctl enable static
expect_match "a static program" "$(cat "$WORK/err")" 'ldconfig will not be counted: it is statically linked'
boot_unit walled.service < <(unit "$work" 'RestrictAddressFamilies=AF_INET')
expect_status 0 ctl enable walled
expect_match "no AF_UNIX" "$(cat "$WORK/err")" 'add RestrictAddressFamilies=AF_UNIX'
mkdir "$(boot_file /etc/systemd/system/foreign.service.d)"
echo '[Service]' >"$(boot_file /etc/systemd/system/foreign.service.d/spanalloc.conf)"
boot_unit foreign.service < <(unit "$work")
expect_status 1 ctl enable foreign
expect_match "a file of somebody else" "$(cat "$WORK/err")" 'was not written by spanallocctl'

note "a user's own: units, sockets, a collector"
inside systemctl start user@1001.service
user() {
        inside_as alice "$@"
}
inside_as alice mkdir -p /home/alice/.config/systemd/user
unit "$work" Environment=SPANALLOC_ATTACH_MS=60000 | inside_as alice tee /home/alice/.config/systemd/user/mine.service >/dev/null
user systemctl --user daemon-reload
user systemctl --user start spanallocd-ingest.socket spanallocd-query.socket mine
expect "modes" "$(user stat -c %a /run/user/1001/spanalloc /run/user/1001/spanalloc/{ingest,query}.sock | tr '\n' ' ')" \
        "700 600 600 "
expect_status 0 user spanallocctl --user enable --now mine
expect_match "where" "$(cat "$WORK/out")" '^# /home/alice/.config/systemd/user/mine.service.d/spanalloc.conf'
mine_counted() {
        user spanallocctl --json=short --user ps | jq -e '[.processes[] | select(.alive)] | length == 1 and
                .[0].unit == "mine.service" and .[0].uid == 1001'
}
wait_for -t 200 "it in the books of the user's collector" mine_counted
expect "who that is" "$(user spanallocctl --json=short --user status | jq .status.uid)" 1001
expect_status 3 inside_as bob spanallocctl --socket /run/user/1001/spanalloc/query.sock status
main=$(user systemctl --user show -p MainPID --value spanallocd)
user systemctl --user restart spanallocd
wait_for -t 200 "it to come back after a restart" mine_counted
[ "$(user systemctl --user show -p MainPID --value spanallocd)" != "$main" ] || fail "the user's collector did not restart"
expect_status 0 user spanallocctl --user disable --now mine
user systemctl --user stop spanallocd
expect "the user's failed units" "$(user systemctl --user --failed --no-legend --plain)" ""
expect "the system's collector" "$(boot_property spanallocd NRestarts)" 0
pass
