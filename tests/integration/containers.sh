#!/bin/bash
# SPDX-License-Identifier: MIT
# What docs/containers.md says, with namespaces: no service manager, a socket mounted into others' root directories, other
# pids, other users.  And that what is advised where no collector answers, works as it stands.
# Optional: takes root, and namespaces, which a container may refuse
. "$(dirname "$0")/../support/lib.sh"
need jq unshare

[ "$(id -u)" = 0 ] || skip "this takes root"
unshare --mount --pid --fork --user --map-root-user true 2>/dev/null || skip "namespaces are refused"
unset SPANALLOC_SOCKET

# contained SCRIPT [ARGUMENT…]: in a mount namespace as a container has it: an empty /run, and a user spanalloc.
contained() {
        # shellcheck disable=SC2016
        env -u XDG_RUNTIME_DIR PATH="$WORK/bin:$PATH" unshare --mount --pid --fork --kill-child --mount-proc bash -euc '
                mount -t tmpfs tmpfs /run
                mount --bind "$1/passwd" /etc/passwd
                mount --bind "$1/group" /etc/group
                script=$2
                shift 2
                eval "$script"' - "$WORK" "$@"
}
mkdir "$WORK/bin"
ln -s "$CTL" "$WORK/bin/spanallocctl"
ln -s "$DAEMON" "$WORK/bin/spanallocd"
{ grep -v '^spanalloc:' /etc/passwd && echo 'spanalloc:x:64996:64996::/run/spanalloc:/usr/sbin/nologin'; } >"$WORK/passwd"
{ grep -v '^spanalloc:' /etc/group && echo 'spanalloc:x:64996:'; } >"$WORK/group"

# advice FILE: the command in the first pair of backticks.
cat >"$WORK/advice" <<'END'
sed -n 's/^[^`]*`\([^`]*\)`.*/\1/p' "$1" | sed "s| DIR\\b| $2|"
END

note "root without a service manager: what is advised serves the machine"
# shellcheck disable=SC2016
contained '
        work=$1
        install -d -o spanalloc -g spanalloc /run/spanalloc
        spanallocctl status 2>"$work/err" && exit 9
        command=$(bash "$work/advice" "$work/err" "$work/dir")
        echo "$command" >"$work/command"
        $command 2>"$work/log" &
        for _ in $(seq 1200); do spanallocctl status >/dev/null 2>&1 && break; sleep 0.05; done
        spanallocctl status >/dev/null
        LD_PRELOAD=$2 bash -c "for i in \$(seq 1000); do x=\$x\$i; done"
        setpriv --reuid 65534 --clear-groups env LD_PRELOAD=$2 bash -c "for i in \$(seq 1000); do x=\$x\$i; done"
        spanallocctl --json=short ps >"$work/ps"
        stat -c %a /run/spanalloc/ingest.sock /run/spanalloc/query.sock >"$work/modes"' "$WORK" "$PRELOAD" ||
        fail "$? $(cat "$WORK/err" "$WORK/log")"
expect "the command" "$(cat "$WORK/command")" spanallocd
expect "counted, of root and of nobody" "$(jq -c '[.processes[] | select(.counting == "libspanalloc-malloc") | .uid] |
        unique' "$WORK/ps")" "[0,65534]"
expect "modes of the sockets" "$(xargs <"$WORK/modes")" "666 666"

note "another user's directory is refused, and the sentence names what works"
# shellcheck disable=SC2016
contained '
        work=$1
        install -d -o nobody /run/spanalloc
        spanallocd 2>"$work/err" && exit 9
        command=$(bash "$work/advice" "$work/err" "$work/dir")
        SPANALLOC_SOCKET=$work/dir/ingest.sock
        export SPANALLOC_SOCKET
        $command 2>"$work/log" &
        for _ in $(seq 1200); do spanallocctl status >/dev/null 2>&1 && break; sleep 0.05; done
        LD_PRELOAD=$2 bash -c "for i in \$(seq 1000); do x=\$x\$i; done"
        spanallocctl --json=short ps >"$work/ps"' "$WORK" "$PRELOAD" || fail "$? $(cat "$WORK/err" "$WORK/log")"
expect_match "the sentence" "$(cat "$WORK/err")" 'belongs to user 65534.*SPANALLOC_SOCKET=DIR/ingest.sock'
expect "counted" "$(jq -r '.processes[0].counting' "$WORK/ps")" libspanalloc-malloc

note "a directory that every user may write to, such as an emptyDir"
# What a pod of root starts, and one of another user; the last word is the socket of its program.
for pod in "sh -c 'chmod 755 /run/spanalloc && exec spanallocd --system' /run/spanalloc/ingest.sock" \
        "setpriv --reuid 65534 --clear-groups spanallocd --runtime-dir /run/spanalloc/own /run/spanalloc/own/ingest.sock"; do
        # shellcheck disable=SC2016
        contained '
                work=$1 command=${3% *}
                install -d -m 777 /run/spanalloc
                spanallocd --system 2>"$work/err" && exit 9
                eval "$command" 2>"$work/log" &
                SPANALLOC_SOCKET=${3##* }
                export SPANALLOC_SOCKET
                for _ in $(seq 1200); do spanallocctl status >/dev/null 2>&1 && break; sleep 0.05; done
                setpriv --reuid 65534 --clear-groups env LD_PRELOAD=$2 bash -c "for i in \$(seq 1000); do x=\$x\$i; done"
                spanallocctl --json=short ps >"$work/ps"' "$WORK" "$PRELOAD" "$pod" ||
                fail "$? $(cat "$WORK/err" "$WORK/log")"
        expect_match "the sentence" "$(cat "$WORK/err")" 'every user may write to /run/spanalloc: chmod o-w'
        expect "counted by $pod" "$(jq -r '.processes[0].counting' "$WORK/ps")" libspanalloc-malloc
done

note "spanallocd --user without XDG_RUNTIME_DIR"
env -u XDG_RUNTIME_DIR "$DAEMON" --user 2>"$WORK/err" && fail "it runs"
expect_match "the sentence" "$(cat "$WORK/err")" '`spanallocd --system` .*`spanallocd --runtime-dir DIR`.*SPANALLOC_SOCKET'

note "a path that was given"
expect_status 3 "$CTL" --socket "$WORK/there/query.sock" status
expect_match "the advice" "$(cat "$WORK/err")" "\`spanallocd --runtime-dir $WORK/there\`.*SPANALLOC_SOCKET=$WORK/there/ingest.sock"

# --------------------------------------------------------------------- the collector out here, programs in there --
export SPANALLOC_SOCKET=$INGEST
start_collector

# looping COMMAND…: a command that starts this, and allocates until it ends.
looping='while :; do x=; for i in 1 2 3 4 5 6 7 8 9; do x=$x$i; done; sleep 0.05; done'
# find_inside UNSHARE: the pid out here of the shell that it started.
find_inside() {
        INSIDE=
        for _ in $(seq 1200); do
                INSIDE=$(tr -d ' ' <"/proc/$1/task/$1/children" 2>/dev/null) && [ -n "$INSIDE" ] && return
                sleep 0.05
        done
        fail "unshare $1 started nothing"
}
is_counted() {
        [ "$(ps_field "$1" counting)" = libspanalloc-malloc ]
}

end() {
        kill -KILL "$1"
        wait "$1" 2>/dev/null || true
}

note "the socket mounted, other pids"
# shellcheck disable=SC2016
unshare --mount --pid --fork --kill-child --mount-proc bash -c 'mount -t tmpfs tmpfs /run
        mkdir /run/spanalloc && mount --bind "$2" /run/spanalloc
        unset SPANALLOC_SOCKET XDG_RUNTIME_DIR
        exec env LD_PRELOAD="$3" bash -c "$1"' - "$looping" "$RUNTIME" "$PRELOAD" &
container=$!
find_inside "$container"
wait_for "the program with other pids" is_counted "$INSIDE"
expect_balanced "$INSIDE"
end "$container"

# in_users SOCKET: in a user namespace that lacks the collector's uid.
in_users() {
        # shellcheck disable=SC2016
        setpriv --reuid 65533 --clear-groups unshare --user --map-root-user --mount --pid --fork --kill-child \
                env LD_PRELOAD="$PRELOAD" SPANALLOC_SOCKET="$1" bash -c "$looping" &
        container=$!
        find_inside "$container"
}
doctor_of() {
        ctl --json=short doctor --pid "$1" >"$WORK/doctor" || true
        jq -r '.findings[] | select(.check == "program" or .check == "process") | .state + ": " + .text' "$WORK/doctor"
}
chmod 755 "$WORK" "$RUNTIME"
chmod 666 "$INGEST"

note "a user namespace without root, and a socket outside /run/spanalloc: doctor says why"
in_users "$INGEST"
why() {
        doctor_of "$INSIDE" | grep -q 'does not trust the collector: for this program the collector is user 65534 (it is in a user namespace)'
}
wait_for "the reason" why
expect "counted" "$(ps_field "$INSIDE" counting)" ""
expect_match "the advice" "$(jq -r '.findings[] | select(.check == "program").advice' "$WORK/doctor")" /run/spanalloc
end "$container"

note "what else keeps a program from being counted"
bash -c "$looping" &
other=$!
expect_match "no library" "$(doctor_of $other)" 'problem: bash\[[0-9]*\]: neither libspanalloc nor'
end $other
SPANALLOC=0 LD_PRELOAD=$PRELOAD bash -c "$looping" &
other=$!
wait_for "its maps" grep -q libspanalloc-malloc "/proc/$other/maps"
expect_match "switched off" "$(doctor_of $other)" 'problem: bash\[[0-9]*\]: it runs with SPANALLOC=0'
end $other
SPANALLOC_SOCKET=$WORK/nowhere/ingest.sock LD_PRELOAD=$PRELOAD bash -c "$looping" &
other=$!
wait_for "its maps" grep -q libspanalloc-malloc "/proc/$other/maps"
expect_match "no socket" "$(doctor_of $other)" "problem: .* looks for a collector at $WORK/nowhere/ingest.sock, where none is"
end $other
LD_PRELOAD=$PRELOAD bash -c "$looping" &
other=$!
wait_for "the program" is_counted $other
expect_match "counted" "$(doctor_of $other)" "ok: bash\\[$other\\]: counted by libspanalloc-malloc"
end $other
expect_status 4 "$CTL" --socket "$QUERY" doctor --pid 4194303

note "attaching to a program that runs"
bash -c "$looping" &
other=$!
for words in "run --pid $other" "run --pid $other -- true" "enable $other" "enable --now $other"; do
        # shellcheck disable=SC2086
        expect_status 2 "$CTL" $words
        expect_match "$words" "$(cat "$WORK/err")" "^spanallocctl: cannot count bash\[$other\]: it runs already; restart it with .spanallocctl "
done
expect_status 4 "$CTL" run --pid 4194303
end $other
pass
