#!/bin/bash
# SPDX-License-Identifier: MIT
# What the manual shows to be typed, works: the program in spanalloc-protocol(7), and questions to jq.
. "$(dirname "$0")/../support/lib.sh"
need jq
# The system's own has the packages; another may come first in PATH.
PYTHON=/usr/bin/python3
"$PYTHON" -c 'import msgpack' 2>/dev/null || {
        [ "${CI:-}" = true ] && fail "python3-msgpack is not installed"
        skip "python3-msgpack is not installed"
}

# example PAGE BEGINNING: the lines of a page from the one that begins so to the display's end.
example() {
        sed -n "/^$2/,/^\.Ed/p" "$SOURCE/docs/man/$1.in" | grep -v '^\.Ed' | sed 's/\\e/\\/g'
}

start_collector
both_ended() {
        ctl --json=short ps | jq -e '[.processes[] | select(.alive | not)] | length == 2'
}
counted "$EXAMPLES/hello" >/dev/null
"$EXAMPLES/hello" >/dev/null
wait_for "the ends of two programs" both_ended

example spanalloc-protocol.7 'import msgpack' | sed "s|/run/spanalloc/query.sock|$QUERY|" >"$WORK/ask.py"
"$PYTHON" "$WORK/ask.py" >"$WORK/status" || fail "the program of spanalloc-protocol(7) does not work"
expect_match "what the collector says to it" "$(cat "$WORK/status")" "'version': '[0-9.]+'.*'processes_seen': 2"

PATH=$(dirname "$CTL"):$PATH
export SPANALLOC_SOCKET=$INGEST
while read -r page beginning; do
        example "$page" "$beginning" | sed 's/^\$ //; s/ --pid 1234//' >"$WORK/line"
        [ -s "$WORK/line" ] || fail "$page has no example that begins with $beginning"
        bash -eu -o pipefail "$WORK/line" >"$WORK/out" 2>&1 || fail "in $page: $(cat "$WORK/line" "$WORK/out")"
        [ -s "$WORK/out" ] || fail "in $page: says nothing: $(cat "$WORK/line")"
done <<'END'
spanalloc.7 spanallocctl --json=short spans
spanallocd.8 \$ spanallocctl --json=short status
spanallocctl.1 \$ spanallocctl --json=short ps
END
pass
