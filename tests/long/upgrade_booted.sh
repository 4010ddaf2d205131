#!/bin/bash
# SPDX-License-Identifier: MIT
# In a system of services.sh: programs with an older version's library and counters, whose collector is replaced by the newer
# one while they run.  In the end the books are the programs' own ledgers.
. "$(dirname "$0")/../support/booted.sh"
boot_cached() { BOOT_CACHED=$SERVICES_ROOT; }
boot_up

# try WHAT COMMAND…: a test.
try() {
        local what=$1
        shift
        if ("$@") >"$WORK/try" 2>&1; then
                echo "ok $what"
        else
                echo "not ok $what: $(tail -n 2 "$WORK/try" | tr '\n' ' ')"
        fi
}
install_debs() {
        local directory=$1 files=() package
        shift
        rm -rf "$(boot_file /opt/debs)"
        mkdir "$(boot_file /opt/debs)"
        for package in "$@"; do
                cp "$directory/$package"_*.deb "$(boot_file /opt/debs)"
        done
        mapfile -t files < <(cd "$BOOT_ROOT" && ls opt/debs/*.deb)
        inside env DEBIAN_FRONTEND=noninteractive dpkg -i "${files[@]/#//}"
}
mkdir -p "$(boot_file /opt/tests)"
cp "$OLD_PROGRAMS"/* "$(boot_file /opt/tests)"

try "the older version installs" install_debs "$OLD_DEBS" spanallocd spanalloc-tools libspanalloc-malloc libspanalloc0
inside systemctl start spanallocd
truncate -s 4096 "$(boot_file /run/live)"
boot_start crowd Environment=SPANALLOC_ON_FULL=wait -- /opt/tests/span_crowd 2 0 /run/live
crowd=$(boot_main_pid crowd)
boot_start ticker Environment=LD_PRELOAD=libspanalloc-malloc.so.0 -- \
        perl -e 'while (1) { my @list = map { "x$$_" } 1 .. 100; select(undef, undef, undef, 0.05) }'
ticker=$(boot_main_pid ticker)
is_counted() {
        [ "$(json ".processes[] | select(.pid == $1 and .alive) | .counting" ps)" = libspanalloc-malloc ]
}
is_there() {
        [ "$(json ".processes[] | select(.pid == $1 and .alive) | .records > 1000" ps)" = true ]
}
try "the older collector counts a program" wait_for "the ticker" is_counted "$ticker"
try "… and has spans of one" wait_for -t 30 "the crowd" is_there "$crowd"
sleep 3
allocs=$(ps_field "$ticker" alloc_count)

try "the newer collector installs, under both" install_debs "$DEBS" spanallocd spanalloc-tools libspanalloc-malloc
try "it serves" wait_for -t 30 "an answer" ctl status
expect_match "its version" "$(inside dpkg-query -W -f '${Version}' spanallocd)" 99
echo "note $(inside journalctl -q --no-pager -o cat -t spanallocd | grep 'took over' | tail -n 1)"
# The books of another version that cannot be read are said to be so; then sums begin anew.
left=$(json .status.left_behind status)
echo "note left behind: $left"
try "the program with the older counters is counted on" wait_for -t 30 "the ticker" is_counted "$ticker"
try "spans of the older library come in" wait_for -t 30 "the crowd" is_there "$crowd"
sleep 3
for _ in 1 2; do
        inside systemctl restart spanallocd
        sleep 1
done
try "after two restarts, too" wait_for -t 30 "the ticker" is_counted "$ticker"
printf '\1' | dd of="$(boot_file /run/live)" conv=notrunc status=none
is_done() {
        grep -q done "$(boot_file /run/crowd.out)"
}
try "the crowd ends" wait_for -t 120 "its sums" is_done
ended() {
        [ "$(json "[.processes[] | select(.pid == $crowd and .alive)] | length" ps)" = 0 ]
}
wait_for -t 60 "its end" ended
try "all books balance" expect_balanced
if [ "$left" = 0 ]; then
        try "the sums of the older library's spans are its own" boot_ledger crowd "$crowd"
        try "no allocation of the ticker is missing" expect_at_least "allocations" "$(ps_field "$ticker" alloc_count)" "$allocs"
        expect "before" "$(ps_field "$ticker" before_alloc_count)" 0
else
        try "the journal says of which" grep -q 'cannot be taken over' <<<"$(inside journalctl -q --no-pager -o cat -t spanallocd)"
fi
try "a program with the newer counters" inside env LD_PRELOAD=libspanalloc-malloc.so.0 perl -e 'print "x" x 100'
echo end
