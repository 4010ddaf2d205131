#!/bin/bash
# SPDX-License-Identifier: MIT
# Under `run` a command has its stdin, stdout, stderr, descriptors, environment and limits as without.
. "$(dirname "$0")/../support/lib.sh"

note "stdout, byte for byte, and stdin"
head -c 1000000 /dev/urandom >"$WORK/data"
"$CTL" run -o "$WORK/report" -- cat <"$WORK/data" >"$WORK/copy"
cmp "$WORK/data" "$WORK/copy" || fail "cat under run changed its input"
"$CTL" run -- cat <"$WORK/data" >"$WORK/copy" 2>"$WORK/err"
cmp "$WORK/data" "$WORK/copy" || fail "the report went to stdout"
[ -s "$WORK/err" ] || fail "no report on stderr"
"$CTL" --json=short run -- printf 'a\0b\n' >"$WORK/out" 2>"$WORK/err"
printf 'a\0b\n' | cmp - "$WORK/out" || fail "the document went to stdout"
jq -e '.schema == 1' "$WORK/err" >/dev/null || fail "no document on stderr"

note "stderr is only the command's with -o"
"$CTL" run -o "$WORK/report" -- sh -c 'echo mine >&2' >"$WORK/out" 2>"$WORK/err"
expect "stderr" "$(cat "$WORK/err")" mine
expect "stdout" "$(cat "$WORK/out")" ''

note "arguments, as they are"
expect "arguments" "$("$CTL" run -o "$WORK/report" -- printf '<%s>' a '' 'b c' -- --json --help -o '*')" \
        '<a><><b c><--><--json><--help><-o><*>'

note "descriptors and limits"
list='ls -l /proc/self/fd | grep -c "^l"; ulimit -n; ulimit -Hn'
expect "descriptors and limits" "$("$CTL" run -o "$WORK/report" -- sh -c "$list")" "$(sh -c "$list")"

note "the environment: only what counting needs"
changed=$(diff <(env | grep -v '^_=' | sort) \
        <("$CTL" run -o "$WORK/report" -- env | grep -v '^_=' | sort) | sed -n 's/^[<>] \([A-Z_]*\)=.*/\1/p' | sort -u) ||
        true
expect "changed variables" "$(echo $changed)" "LD_PRELOAD SPANALLOC SPANALLOC_ATTACH_MS SPANALLOC_SOCKET"
expect "ring and full" "$(env SPANALLOC_ON_FULL=refuse "$CTL" run -o "$WORK/report" --on-full wait --ring-kib 64 -- \
        sh -c 'echo $SPANALLOC_ON_FULL $SPANALLOC_RING_KIB')" "wait 64"

note "LD_PRELOAD: before what was there"
# Of our own architecture: ldconfig may know of others, too.
libc=$(dirname "$(ldd "$CTL" | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')")/libm.so.6
if [ -e "$libc" ]; then
        got=$(LD_PRELOAD=$libc "$CTL" run -o "$WORK/report" -- sh -c 'echo "$LD_PRELOAD"')
        expect_match "LD_PRELOAD" "$got" "^/.*/libspanalloc-malloc\.so\.0:$libc$"
        got=$(LD_PRELOAD=$libc "$CTL" run -o "$WORK/report" -- sh -c 'cat /proc/self/maps')
        expect_match "both are loaded" "$got" "$(basename "$(readlink -f "$libc")")"
        expect_match "both are loaded" "$got" libspanalloc-malloc
fi

note "run within run: each reports"
"$CTL" --json=short run -o "$WORK/outer" -- "$CTL" --json=short run -o "$WORK/inner" -- sh -c 'exit 7' && fail "status"
jq -e '.status == 7 and ([.processes[] | select(.comm == "spanallocctl")] | length > 0)' "$WORK/outer" >/dev/null ||
        fail "outer: $(head -c 1000 "$WORK/outer")"
jq -e '.status == 7' "$WORK/inner" >/dev/null || fail "inner: $(head -c 1000 "$WORK/inner")"
pass
