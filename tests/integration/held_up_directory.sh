#!/bin/bash
# SPDX-License-Identifier: MIT
# One directory, one collector: a second one is turned away and takes nothing from the first; a directory that every user may
# write to, and a file system without room, end the start with a sentence.
. "$(dirname "$0")/../support/lib.sh"

start_collector --state-dir "$WORK/state"
note "a second collector"
expect_status 1 "$DAEMON" --user --runtime-dir "$RUNTIME" --state-dir "$WORK/other"
expect_match "its log" "$(cat "$WORK/err")" "another collector serves"
mkdir "$WORK/two"
expect_status 1 "$DAEMON" --user --runtime-dir "$WORK/two" --state-dir "$WORK/state"
expect_match "its log" "$(cat "$WORK/err")" "cannot keep books in"
ctl status >/dev/null || fail "the first collector does not answer any more"
[ -S "$INGEST" ] && [ -S "$QUERY" ] || fail "the sockets of the first collector are gone"

note "sockets of another"
rm "$QUERY"
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$QUERY"
stop_collector
[ -S "$QUERY" ] || fail "a socket that another made was removed"
[ ! -e "$INGEST" ] || fail "its own socket is still there"

note "a directory for every user"
mkdir "$WORK/open"
chmod 777 "$WORK/open"
expect_status 1 "$DAEMON" --user --runtime-dir "$WORK/open"
expect_match "its log" "$(cat "$WORK/err")" "every user may write to"

if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
        note "a full file system"
        mkdir "$WORK/full"
        # shellcheck disable=SC2016 # the inner shell's
        expect_status 1 unshare --mount bash -c '
                mount -t tmpfs -o size=64k none "$2" && chmod 755 "$2" || exit 77
                dd if=/dev/zero of="$2/filler" bs=4k 2>/dev/null
                exec "$1" --user --runtime-dir "$2"' full "$DAEMON" "$WORK/full"
        expect_match "its log" "$(cat "$WORK/err")" "No space left on device"
fi
pass
