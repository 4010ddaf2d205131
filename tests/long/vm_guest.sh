#!/bin/bash
# SPDX-License-Identifier: MIT
# In the machine of vm.sh, on its serial line: "GUEST ok WHAT", "GUEST not ok WHAT: DETAIL", "GUEST note TEXT", and "GUEST end".
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive

# is WHAT ACTUAL WANTED
is() {
        if [ "$2" = "$3" ]; then
                echo "GUEST ok $1"
        else
                echo "GUEST not ok $1: '$2', not '$3'" | tr '\n' ' '
                echo
        fi
}

# has WHAT TEXT REGEX
has() {
        if grep -Eq -- "$3" <<<"$2"; then
                echo "GUEST ok $1"
        else
                echo "GUEST not ok $1: '$2' does not match '$3'" | tr '\n' ' '
                echo
        fi
}

# until_true SECONDS COMMAND…
until_true() {
        local end=$((SECONDS + $1))
        shift
        until "$@" >/dev/null 2>&1; do
                [ "$SECONDS" -lt "$end" ] || return
                sleep 0.5
        done
}

json() {
        local filter=$1
        shift
        spanallocctl --json=short "$@" | jq -r "$filter"
}
property() {
        systemctl show -p "$2" --value "$1"
}
is_state() {
        [ "$(property "$1" ActiveState)" = "$2" ]
}
has_ended() {
        [ "$(json ".processes[] | select(.unit == \"$1\" and (.alive | not)) | .ended" ps)" != "" ]
}
balance() {
        json '[.processes[] | . as $p | ["alloc_count", "alloc_bytes", "dealloc_count", "dealloc_bytes"][] |
                $p[.] == $p["self_" + .] + $p["outside_" + .] + $p["lost_" + .] + $p["before_" + .]] | all' ps
}

# crowd UNIT: begins a span_crowd, whose own ledger is /run/UNIT.out.
crowd() {
        systemd-run -q --unit="$1" -E SPANALLOC_ON_FULL=wait -E SPANALLOC_RING_KIB=4096 -p "StandardOutput=file:/run/$1.out" \
                /opt/tests/span_crowd 2 "$2"
        until_true 60 is_state "$1" active
}
# ledger UNIT: its sums in the books.
ledger() {
        local name pid
        pid=$(json ".processes[] | select(.unit == \"$1.service\") | .pid" ps)
        for name in local inner handed; do
                is "$1's sums of $name" "$(json ".spans[] | select(.pid == $pid and .span == \"$name\") |
                        [.span, .closed, .cycles, .alloc_count, .alloc_bytes, .dealloc_count, .dealloc_bytes, .migrated] |
                        map(tostring) | join(\" \")" spans)" "$(grep "^$name " "/run/$1.out")"
        done
}
replaced() {
        [ "$(property spanallocd MainPID)" != "$1" ] && is_state spanallocd active && spanallocctl status
}
is_counted() {
        [ "$(json ".processes[] | select(.unit == \"ticker.service\" and .alive) | .counting" ps)" = libspanalloc-malloc ]
}

first() {
        is "pid 1" "$(cat /proc/1/comm)" systemd
        has "the memory controller of cgroup v2" "$(cat /sys/fs/cgroup/cgroup.controllers)" '\bmemory\b'
        dpkg -i /opt/debs/*.deb >/run/dpkg 2>&1
        is "the packages install" "$? $(grep -iE 'warning|error' /run/dpkg)" "0 "
        is "the sockets" "$(property spanallocd-ingest.socket ActiveState) $(property spanallocd-query.socket ActiveState)" \
                "active active"
        is "a question starts it, and it waits with" "$(json .status.backend status)" io_uring

        # ----------------------------------------------------------------------------------------- out of memory --
        systemd-run -q --unit=hungry -p MemoryMax=64M -p MemorySwapMax=0 /opt/tests/span_dies oom
        until_true 120 is_state hungry failed
        is "systemd's word on hungry" "$(property hungry Result)" oom-kill
        until_true 30 has_ended hungry.service
        is "ps on hungry" "$(json '.processes[] | select(.unit == "hungry.service") | .ended' ps)" \
                "killed by SIGKILL: out of memory"
        has "the journal on hungry" "$(journalctl -q --no-pager -o cat SPANALLOC_UNIT=hungry.service)" \
                'cause out of memory; open then: batch 4.9 KiB, request 1.1 KiB, request/query 1000 B, job 10 B'
        systemd-run -q --unit=counted -p MemoryMax=64M -p MemorySwapMax=0 -E LD_PRELOAD=libspanalloc-malloc.so.0 \
                perl -e 'while (1) { push @list, "x" x 100000 }'
        until_true 120 is_state counted failed
        until_true 30 has_ended counted.service
        is "ps on a preloaded program" "$(json '.processes[] | select(.unit == "counted.service") |
                "\(.counting) \(.ended) \(.alloc_bytes > 50000000)"' ps)" \
                "libspanalloc-malloc killed by SIGKILL: out of memory true"
        # Of the next one, which is killed by hand, it does not say so; before Linux 6.15 it is not told how that ended.
        systemd-run -q --unit=killed -p MemoryMax=64M /opt/tests/span_dies kill
        until_true 60 is_state killed failed
        until_true 30 has_ended killed.service
        has "ps on one that is killed by hand" "$(json '.processes[] | select(.unit == "killed.service") | .ended' ps)" \
                '^(killed by SIGKILL|exited)$'
        has "the kernel's pressure by memory" "$(cat /proc/pressure/memory)" '^full .*total=[1-9]'

        # ---------------------------------------------------------------------------------- what systemd keeps --
        cat >/etc/systemd/system/ticker.service <<'END'
[Service]
ExecStart=/usr/bin/perl -e 'while (1) { my @list = map { "x$$_" } 1 .. 100; select(undef, undef, undef, 0.1) }'
[Install]
WantedBy=multi-user.target
END
        systemctl daemon-reload
        systemctl enable -q --now ticker
        is "enable, of a service that runs" "$(spanallocctl enable --now ticker | tail -n 1)" "ticker.service was restarted."
        until_true 60 is_counted
        is "the service is counted" "$(json '.processes[] | select(.unit == "ticker.service" and .alive) | .counting' ps)" \
                libspanalloc-malloc
        generation=$(json .status.generation status)
        before=$(json '.processes[] | select(.unit == "ticker.service" and .alive) | .before_alloc_count' ps)
        crowd kills 1500000
        for _ in 1 2 3; do
                sleep 2
                main=$(property spanallocd MainPID)
                kill -KILL "$main"
                until_true 60 replaced "$main"
        done
        is "generation after three kills" "$(json .status.generation status)" "$generation"
        echo "GUEST note kills: $(property kills ActiveState) when the last one had been replaced"
        until_true 900 has_ended kills.service
        ledger kills
        crowd restarts 1500000
        sleep 2
        systemctl restart spanallocd
        sleep 2
        systemctl restart spanallocd
        until_true 900 has_ended restarts.service
        ledger restarts
        is "the service is counted on" "$(json '.processes[] | select(.unit == "ticker.service" and .alive) |
                "\(.counting) \(.before_alloc_count)"' ps)" "libspanalloc-malloc $before"
        is "all books balance" "$(balance)" true
        is "failed units of ours" "$(systemctl list-units --failed --plain --no-legend 'spanallocd*')" ""
}

second() {
        is "the sockets, after a reboot" \
                "$(property spanallocd-ingest.socket ActiveState) $(property spanallocd-query.socket ActiveState)" "active active"
        until_true 60 is_counted
        # What it allocates before the collector is up is "before".
        is "the service, after a reboot" "$(json '.processes[] | select(.unit == "ticker.service" and .alive) | .counting' ps)" \
                libspanalloc-malloc
        is "all books balance" "$(balance)" true
        is "disable" "$(spanallocctl disable --now ticker | tail -n 1)" "ticker.service was restarted."
        dpkg -P spanallocd spanalloc-tools libspanalloc-malloc libspanalloc-dev libspanalloc0 >/run/dpkg 2>&1
        is "the packages are purged" "$? $(grep -iE 'warning|error' /run/dpkg)" "0 "
        # The beacon stays until the next boot: programs have it mapped, and find the next collector by it.
        is "what is left in /run/spanalloc and /etc/spanalloc" "$(find /run/spanalloc /etc/spanalloc -type f 2>/dev/null)" \
                /run/spanalloc/beacon
}

echo
echo "GUEST note $(uname -r), systemd $(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')"
if [ -e /var/lib/first ]; then
        second
else
        touch /var/lib/first
        first
fi
echo "GUEST end"
