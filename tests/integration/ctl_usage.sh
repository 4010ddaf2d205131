#!/bin/bash
# SPDX-License-Identifier: MIT
# spanallocctl when there is nothing to show: nonsense on the command line, no collector, the wrong socket.  Each time one
# line on stderr, in one style, nothing on stdout, and the exit status of the contract.
. "$(dirname "$0")/../support/lib.sh"

# refused STATUS REGEX ARGUMENT…
refused() {
        local status=$1 regex=$2
        shift 2
        expect_status "$status" timeout 60 "$CTL" "$@"
        expect "lines on stderr of '$*'" "$(wc -l <"$WORK/err")" 1
        expect "bytes on stdout of '$*'" "$(wc -c <"$WORK/out")" 0
        expect_match "what '$*' says" "$(cat "$WORK/err")" "^spanallocctl: .*$regex"
        expect_match "its style: no capital, no full stop" "$(cat "$WORK/err")" '^spanallocctl: [^A-Z].*[^.]$'
}

# ------------------------------------------------------------------------------------------------------ usage
refused 2 'no verb "spam"; did you mean "spans"' spam
refused 2 'spanallocctl help' xyzzy
refused 2 'did you mean --limit' spans --limitt=3
refused 2 'no option -Z' -Z
refused 2 'whole number' spans --limit=many
refused 2 'whole number' spans --pid=-1
refused 2 'no column "alloc"' spans --sort=-alloc
refused 2 'did you mean "alloc_bytes"' spans --columns=span,alloc_byte
refused 2 'off, short or pretty' --json=tall
refused 2 'not an option of status' --since=5m status
refused 2 'needs NAME' show
refused 2 'takes no argument "b"' show a b
refused 2 'COMMAND' run
refused 2 'needs an argument' --socket
refused 2 'needs the path' --socket=
refused 2 'takes no argument' --no-pager=x
refused 2 'no verb ""' ''
refused 2 'a time' top -d soon
refused 2 'no verb "nonsense"' help nonsense
refused 2 'did you mean "net_bytes"' tree --sort=-net_byte
refused 2 'not an option of top' top --since=10m
refused 2 'no verb "tpo"; did you mean "top"' tpo
refused 2 'at most 10m, not "11m"' spans --since 11m
refused 2 'from 16 to 65536, not "3"' run --ring-kib=3 -- true
refused 2 'from 16 to 65536, not "99999999"' run --ring-kib=99999999 -- true
for verb in status ps spans tree show top follow run enable disable reset doctor demo version help; do
        refused 2 'no option --nonsense' "$verb" --nonsense
done
for verb in status ps spans tree top follow reset doctor demo version; do
        refused 2 "$verb takes no argument \"more\"" "$verb" more
done

# ------------------------------------------------------------------------------- what needs no collector works
expect_status 0 "$CTL" help
for verb in status ps spans tree show top follow run enable disable reset doctor demo version help; do
        grep -Eq "^  $verb( |\$)" "$WORK/out" || fail "help does not list $verb"
done
for verb in status ps spans tree show top follow run enable disable reset doctor demo version help; do
        expect_status 0 "$CTL" help "$verb"
        cp "$WORK/out" "$WORK/help"
        expect_status 0 "$CTL" "$verb" --help
        cmp "$WORK/help" "$WORK/out" || fail "'help $verb' and '$verb --help' differ"
done
expect_status 0 "$CTL" version
expect_match version "$(cat "$WORK/out")" '^spanallocctl [0-9]+\.[0-9]+\.[0-9]+$'
cp "$WORK/out" "$WORK/version"
expect_status 0 "$CTL" --version
cmp "$WORK/version" "$WORK/out" || fail "version and --version differ"
expect_status 0 "$CTL" version --json
expect_match "version as a document" "$(cat "$WORK/out")" '^\{"schema":1,.*"version":"'

# ------------------------------------------------------------------------------------------------ no collector
everything=(status ps spans tree 'show x' 'top -1' follow reset)
for line in "${everything[@]}"; do
        # shellcheck disable=SC2086 # words
        refused 3 "$WORK/nowhere" --socket "$WORK/nowhere" $line
        # shellcheck disable=SC2086
        refused 3 . --socket "$WORK/nowhere" --json=short $line
done
refused 3 . --user
refused 3 . --socket "$WORK/$(printf 'x%.0s' $(seq 200))" status
touch "$WORK/file"
refused 3 "$WORK/file" --socket "$WORK/file" status

# ------------------------------------------------------------- a socket of another program, or of none
if command -v python3 >/dev/null; then
        cat >"$WORK/other.py" <<'END'
import os, socket, sys
kind, path = sys.argv[1:]
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen(4)
open(path + '.ready', 'w').close()
while True:
    peer = server.accept()[0]
    peer.recv(4096)
    if kind == 'noise':
        peer.sendall(b'HTTP/1.0 400 Bad Request\r\n\r\n')
    elif kind == 'bomb':
        peer.sendall(bytes([5, 0, 0, 0, 0xdd, 0xff, 0xff, 0xff, 0xff]))
    peer.close()
END
        for kind in noise bomb silence; do
                python3 "$WORK/other.py" "$kind" "$WORK/$kind" &
                wait_for "the $kind server" test -e "$WORK/$kind.ready"
                status=0
                timeout 60 "$CTL" --socket "$WORK/$kind" spans >"$WORK/out" 2>"$WORK/err" || status=$?
                case $status in
                1 | 3) ;;
                *) fail "spans against $kind ended with $status" ;;
                esac
                expect "lines on stderr against $kind" "$(wc -l <"$WORK/err")" 1
                expect "bytes on stdout against $kind" "$(wc -c <"$WORK/out")" 0
        done
fi

# ------------------------------------------------------------------------- closed descriptors: 0 to 2 are no socket's
start_collector
for verb in ps spans tree status doctor "show x" "top --once"; do
        # shellcheck disable=SC2086
        timeout 60 "$CTL" --socket "$QUERY" $verb >&- 2>"$WORK/err" || :
done
expect "what the collector could not read" "$(json '.status | [.query_errors, .rejected] | add' status)" 0
"$CTL" run -o "$WORK/report" -- sh -c "[ -e /proc/self/fd/1 ] || echo closed >'$WORK/closed'" >&-
expect "what the command of run has" "$(cat "$WORK/closed")" closed
stop_collector

# -------------------------------------------------------------------------------------- what is no configuration
mkdir "$WORK/folder"
printf '[budget x]\nheld = 1\n' >"$WORK/sections"
for file in folder sections; do
        expect_status 2 timeout 60 "$DAEMON" --config "$WORK/$file" --runtime-dir "$WORK/r"
        expect_match "what is said of $file" "$(cat "$WORK/err")" 'is a directory; name a file|sections:2: there is no section \[budget x\]'
done
pass
