#!/bin/bash
# SPDX-License-Identifier: MIT
# Units that shut their programs in, under the real systemd: whatever the settings are, the service does what it does without
# spanalloc; it is counted exactly, or `enable` has said that it will not be, and doctor names the program with the reason.
# Timeout: 1800
. "$(dirname "$0")/../support/booted.sh"
boot_up
boot_install
inside systemctl start spanallocd-ingest.socket spanallocd-query.socket
ctl status >/dev/null

LIST=$SOURCE/ctl/unit/syscall_filter.c
needed=$(sed -n '/^} needed/,/^};/s/{"/\n"/gp' "$LIST" | sed -n 's/^"\([a-z0-9_]*\)".*/\1/p' | tr '\n' ' ')
# What the program of the units calls by itself, and a shell.
own='@default @file-system @basic-io @io-event @process @signal'

# unit NAME COUNTED|NOT WARNING SETTING…: WARNING is a regex of what `enable` says; "-": nothing.  A unit that is stopped at
# once by its own setting, without spanalloc, shows nothing.
rows_of() {
        json "[.processes[] | select(.alive and .unit == \"$1\" and (.counting | startswith(\"libspanalloc-malloc\")))] | length" ps
}
is_counted() {
        [ "$(rows_of "$1")" = 1 ]
}
has_ended() {
        [ "$(boot_property "$1" ActiveState)" = "$2" ]
}
FAILED=0
wrong() {
        echo "FAILED $*"
        FAILED=$((FAILED + 1))
}
unit() {
        local name=$1 counted=$2 warning=$3 said pid plain
        shift 3
        boot_unit "$name.service" < <(printf '[Service]\nType=exec\nEnvironment=SPANALLOC_ATTACH_MS=60000\nExecStart=/opt/tests/span_confined none 600\n'; printf '%s\n' "$@")
        inside systemctl start "$name" || true
        plain=$(boot_property "$name" ActiveState)
        [ "$plain" = active ] || { wrong "$name: without spanalloc it is $plain: $(inside journalctl -q -n 3 -o cat -u "$name")"; return; }
        ctl enable --now "$name" >"$WORK/out" 2>"$WORK/err" || { wrong "$name: enable: $(cat "$WORK/err")"; return; }
        said=$(cat "$WORK/err")
        if [ "$warning" = - ]; then
                [ -z "$said" ] || wrong "$name: enable said: $said"
        else
                grep -Eq -- "$warning" <<<"$said" || wrong "$name: enable said '$said', should be like '$warning'"
        fi
        pid=$(boot_main_pid "$name")
        if [ "$counted" = COUNTED ]; then
                for _ in $(seq 600); do
                        is_counted "$name.service" && break
                        sleep 0.1
                done
        else
                # It has opened spans for half a second then, and attempts once a second.
                sleep 1.2
        fi
        sleep 0.3
        [ "$(rows_of "$name.service")" = "$([ "$counted" = COUNTED ] && echo 1 || echo 0)" ] ||
                wrong "$name: $(rows_of "$name.service") rows, should be $counted"
        [ "$(boot_property "$name" ActiveState) $(boot_main_pid "$name")" = "active $pid" ] ||
                wrong "$name: it is $(boot_property "$name" ActiveState), $(boot_property "$name" Result)"
        if [ "$counted" = COUNTED ]; then
                json_true "$name: its books" ".processes[] | select(.unit == \"$name.service\" and .alive) | .balanced" ps
                [ "$(json ".processes[] | select(.pid == $pid and .alive) | .counting" ps)" = libspanalloc-malloc ] ||
                        wrong "$name: counted by $(json ".processes[] | select(.pid == $pid and .alive) | .counting" ps)"
        else
                # It may not have come to its libraries yet.
                for _ in $(seq 600); do
                        ctl doctor --pid "$pid" >"$WORK/doctor" 2>&1 || true
                        ! grep -qF "[$pid]" "$WORK/doctor" || break
                        sleep 0.1
                done
                note "$name: $(grep -A 1 -F "[$pid]" "$WORK/doctor" | tr -s ' \n' ' ')"
                grep -qF "[$pid]" "$WORK/doctor" || wrong "$name: doctor does not name it"
        fi
        inside systemctl stop "$name"
        ctl disable "$name" >/dev/null
}
kills=SystemCallErrorNumber=
note "filters of system calls"
unit service-set COUNTED - 'SystemCallFilter=@system-service'
unit service-set-errno COUNTED - 'SystemCallFilter=@system-service' 'SystemCallErrorNumber=EPERM'
unit narrow COUNTED - "SystemCallFilter=$own $needed"
unit without-gettid NOT 'kills it for gettid\(\)' "SystemCallFilter=$own $needed" 'SystemCallFilter=~gettid'
unit no-network NOT 'kills it for (connect|socket)\(\)' 'SystemCallFilter=~@network-io' $kills
unit no-network-errno NOT 'refuses it connect\(\)' 'SystemCallFilter=~@network-io' 'SystemCallErrorNumber=EPERM'
unit one-errno NOT 'refuses it socket\(\)' 'SystemCallFilter=~socket:EACCES'
unit one-kill NOT 'kills it for socket\(\)' 'SystemCallFilter=~socket:kill' 'SystemCallErrorNumber=EPERM'
unit optional COUNTED - 'SystemCallFilter=~getcwd futex:EPERM sigaltstack' 'SystemCallErrorNumber=EPERM' 'SystemCallFilter=futex'
unit usual-denials COUNTED - 'SystemCallFilter=~@clock @debug @module @mount @obsolete @raw-io @reboot @swap @privileged @resources'
note "what else shuts in"
unit hardened COUNTED - PrivateTmp=yes ProtectSystem=strict ProtectHome=yes NoNewPrivileges=yes PrivateDevices=yes \
        ProtectKernelTunables=yes ProtectKernelModules=yes ProtectKernelLogs=yes ProtectControlGroups=yes ProtectClock=yes \
        ProtectHostname=yes ProtectProc=invisible ProcSubset=pid RestrictNamespaces=yes RestrictRealtime=yes \
        RestrictSUIDSGID=yes LockPersonality=yes MemoryDenyWriteExecute=yes RemoveIPC=yes PrivateNetwork=yes PrivateIPC=yes \
        SystemCallArchitectures=native CapabilityBoundingSet= DynamicUser=yes UMask=0777 SystemCallFilter=@system-service \
        'RestrictAddressFamilies=AF_UNIX AF_INET'
unit families NOT 'add RestrictAddressFamilies=AF_UNIX' 'RestrictAddressFamilies=AF_INET'
unit no-families NOT 'add RestrictAddressFamilies=AF_UNIX' 'RestrictAddressFamilies=none'
unit private-users COUNTED - PrivateUsers=yes User=bob
unit inaccessible NOT 'InaccessiblePaths= hides /run/spanalloc' 'InaccessiblePaths=-/run/spanalloc'
unit empty-run NOT 'add BindReadOnlyPaths=/run/spanalloc' 'TemporaryFileSystem=/run'
unit empty-run-but COUNTED - 'TemporaryFileSystem=/run' 'BindReadOnlyPaths=/run/spanalloc'
unit no-exec NOT 'add ExecPaths=.*/libspanalloc-malloc' 'NoExecPaths=/usr/local/lib' 'ExecPaths=/usr/local/lib/libspanalloc.so.0'
# Its own spans are in the books, without counters.
unit unset NOT 'UnsetEnvironment= removes LD_PRELOAD' 'UnsetEnvironment=LD_PRELOAD SPANALLOC SPANALLOC_SECCOMP'
mkdir -p "$(boot_file /etc/default)"
echo 'LD_PRELOAD=libutil.so.1' >"$(boot_file /etc/default/own)"
unit own-preload NOT 'EnvironmentFile= /etc/default/own sets LD_PRELOAD' 'EnvironmentFile=-/etc/default/own'
unit small COUNTED - LimitAS=64M LimitNOFILE=8 LimitMEMLOCK=0 TasksMax=2

note "a program that shuts itself in, and the next collector"
boot_unit own.service < <(printf '[Service]\nType=exec\nEnvironment=SPANALLOC_ATTACH_MS=60000\nExecStart=/opt/tests/span_confined seccomp 600\n')
ctl enable own >/dev/null
inside systemctl start own
own=$(boot_main_pid own)
says() {
        json ".processes[] | select(.pid == $own and .alive) | .counting" ps | grep -q '^libspanalloc-malloc; in a seccomp filter'
}
closed() {
        json "[.spans[] | select(.pid == $own) | .closed] | add // 0" spans
}
grows() {
        [ "$(closed)" -gt "$1" ]
}
wait_for "ps to say that it is in a filter" says
main=$(boot_main_pid spanallocd)
inside systemctl restart spanallocd
[ "$(boot_main_pid spanallocd)" != "$main" ] || fail "the collector was not restarted"
wait_for "ps to say so after a restart, too" says
wait_for "it to be counted on, in the segment that it has" grows "$(closed)"
json_true "its books" ".processes[] | select(.pid == $own) | .balanced" ps
# What the service manager keeps for a successor is gone after a stop.
inside systemctl stop spanallocd spanallocd-ingest.socket spanallocd-query.socket
inside systemctl start spanallocd-ingest.socket spanallocd-query.socket
ctl status >/dev/null
sleep 2
if ! says; then
        ctl --json=short doctor >"$WORK/doctor" || true
        expect_match "doctor" "$(jq -r '.findings[] | "\(.text) -> \(.advice)"' "$WORK/doctor")" \
                "\[$own\]: it has not attached, and has a seccomp filter.* -> .*enable own.service"
fi
expect "it lives" "$(boot_property own ActiveState) $(boot_main_pid own)" "active $own"
[ "$FAILED" = 0 ] || fail "$FAILED findings"
pass
