# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What every integration script shares.  A script begins with
#
#     #!/bin/bash
#     . "$(dirname "$0")/../support/lib.sh"
#
# and runs under `set -eu -o pipefail`.  It needs SPANALLOC_BUILD, the build tree; ctest sets it.  Each script has a
# directory of its own, $WORK, which goes when it ends, with everything that it started.
#
#     $DAEMON $CTL             spanallocd, spanallocctl
#     $PRELOAD $LIBSPANALLOC   libspanalloc-malloc.so, libspanalloc.so
#     $PROGRAMS $EXAMPLES      helper programs of tests/integration/programs/, examples
#     $RUNTIME $INGEST $QUERY  the collector's runtime directory and its two sockets
#
# SPANALLOC_CLIENT_BUILD: another build tree for libraries, programs and examples, where what is preloaded into strangers
# must not be what spanallocd is made of: a sanitizer's.
# SPANALLOC_TEST_BACKEND=poll|io_uring: start_collector fails unless the collector's status names it.
# Exit status: 0 passed, 77 skipped, else failed.
set -eu -o pipefail

: "${SPANALLOC_BUILD:?is not set: the build tree to test}"
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$(cd "$SPANALLOC_BUILD" && pwd)
NAME=$(basename "$0" .sh)

CLIENT_BUILD=$(cd "${SPANALLOC_CLIENT_BUILD:-$SPANALLOC_BUILD}" && pwd)

# find_built FILE…: the first of these below the build tree.
find_built() {
        local file
        for file in "$@"; do
                if [ -e "$BUILD/$file" ]; then
                        echo "$BUILD/$file"
                        return
                fi
        done
        echo "$BUILD/$1"
}
DAEMON=$(find_built daemon/spanallocd/spanallocd daemon/spanallocd)
CTL=$(find_built ctl/spanallocctl)
LIBSPANALLOC=$(BUILD=$CLIENT_BUILD find_built client/libspanalloc.so libspanalloc.so)
PRELOAD=$(BUILD=$CLIENT_BUILD find_built client/malloc/libspanalloc-malloc.so client/libspanalloc-malloc.so)
PROGRAMS=$CLIENT_BUILD/tests/programs
EXAMPLES=$CLIENT_BUILD/examples

# Short: a socket's path has room for 107 bytes.
WORK=$(mktemp -d /tmp/sa.XXXXXX)
RUNTIME=$WORK/spanalloc
INGEST=$RUNTIME/ingest.sock
QUERY=$RUNTIME/query.sock
COLLECTOR_PID=
mkdir -p "$RUNTIME"
export XDG_RUNTIME_DIR=$WORK SPANALLOC_SOCKET=$INGEST
# What script(1) and tmux start: a shell that gives way to the command, so that its status is the command's.
export SHELL=/bin/bash
# Shells and others write into a home, and whatever dies leaves its temporary files.
export HOME=$WORK/.home TMPDIR=$WORK
mkdir "$HOME"
unset SPANALLOC SPANALLOC_RING_KIB SPANALLOC_ON_FULL SPANALLOC_SECCOMP LD_PRELOAD
# A program waits 100 ms for the collector's answer, which a busy machine may need to let it run at all.  A program that ends
# soon would not be in the books then.
export SPANALLOC_ATTACH_MS=60000
# Under no_io_uring all programs come with a filter, which answers with an errno.
[ -z "${SPANALLOC_TEST_FILTER:-}" ] || export SPANALLOC_SECCOMP=allow

lib_cleanup() {
        local status=$? pid
        trap - EXIT
        set +e
        # Only children that this shell still has: a pid that it has not reaped belongs to no other process.
        for pid in $(jobs -p); do
                kill -CONT "$pid" 2>/dev/null
                kill -TERM "$pid" 2>/dev/null
        done
        for _ in $(seq 40); do
                [ -z "$(jobs -pr)" ] && break
                sleep 0.05
        done
        for pid in $(jobs -pr); do
                kill -KILL "$pid" 2>/dev/null
        done
        if [ "$status" != 0 ] && [ "$status" != 77 ] && [ -s "$WORK/collector.log" ]; then
                echo "--- last lines of the collector's log" >&2
                tail -n 20 "$WORK/collector.log" >&2
        fi
        rm -rf "$WORK"
        exit "$status"
}
trap lib_cleanup EXIT
trap 'exit 1' INT TERM HUP

# note TEXT…: progress, for who reads the log of a failure.
note() {
        echo "$NAME: $*"
}

fail() {
        echo "$NAME: FAILED: $*" >&2
        exit 1
}

pass() {
        echo "$NAME: ok${*:+: $*}"
        exit 0
}

# skip TEXT…: this machine cannot show it, and that is all right.
skip() {
        echo "$NAME: skipped: $*"
        exit 77
}

# need TOOL…: what scripts/install-deps installs.  Skipping is for people who test by hand; in CI it is a failure.
need() {
        local tool
        for tool in "$@"; do
                if ! command -v "$tool" >/dev/null; then
                        [ "${CI:-}" = true ] && fail "$tool is not installed"
                        skip "$tool is not installed"
                fi
        done
}

# expect WHAT ACTUAL WANTED
expect() {
        [ "$2" = "$3" ] || fail "$1: is '$2', should be '$3'"
}

# expect_at_least WHAT ACTUAL LEAST; integers
expect_at_least() {
        [ "$2" -ge "$3" ] || fail "$1: is $2, should be at least $3"
}

# expect_match WHAT TEXT REGEX (extended)
expect_match() {
        grep -Eq -- "$3" <<<"$2" || fail "$1: '$2' does not match '$3'"
}

# expect_status WANTED COMMAND…: its output goes to $WORK/out and $WORK/err.
expect_status() {
        local want=$1 status=0
        shift
        "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || status=$?
        [ "$status" = "$want" ] ||
                fail "'$*' ended with $status, should be $want: $(head -c 400 "$WORK/err")"
}

# wait_for [-t SECONDS] WHAT COMMAND…: until the command succeeds; its output is dropped.
wait_for() {
        local seconds=60 what deadline
        if [ "$1" = -t ]; then
                seconds=$2
                shift 2
        fi
        what=$1
        shift
        deadline=$((SECONDS + seconds))
        until "$@" >/dev/null 2>&1; do
                [ "$SECONDS" -lt "$deadline" ] || fail "waited $seconds s in vain for: $what"
                sleep 0.05
        done
}

# spawn [counted|ctl] PROGRAM…: in the background; $SPAWNED is its pid.  It is ended with the script.  (Of any other
# function the pid would be a shell's.)
spawn() {
        # The standard input is said: behind & it would be /dev/null, whatever the function got.
        case $1 in
        counted)
                shift
                LD_PRELOAD=$PRELOAD "$@" <&0 &
                ;;
        ctl)
                shift
                "$CTL" --socket "$QUERY" "$@" <&0 &
                ;;
        *) "$@" <&0 & ;;
        esac
        SPAWNED=$!
}

# wait_status PID: waits; $STATUS is how it ended.  (Not for $(wait_status …): a subshell cannot wait for our children.)
wait_status() {
        STATUS=0
        wait "$1" || STATUS=$?
}

ctl() {
        "$CTL" --socket "$QUERY" "$@"
}

# json FILTER VERB…: the verb's document through jq -r.
json() {
        local filter=$1
        shift
        ctl --json=short "$@" | jq -r "$filter"
}

# json_true WHAT FILTER VERB…: the filter must yield true.
json_true() {
        local what=$1 filter=$2 document
        shift 2
        document=$(ctl --json=short "$@") || fail "$what: '$*' failed"
        jq -e "$filter" >/dev/null <<<"$document" || fail "$what: '$filter' is not true of $(head -c 2000 <<<"$document")"
}

# ps_field PID FIELD, span_field PID NAME FIELD: empty when there is no such row.
ps_field() {
        json ".processes[] | select(.pid == $1) | .$2" ps
}
span_field() {
        json ".spans[] | select(.pid == $1 and .span == \"$2\") | .$3" spans
}

# wait_true [-t SECONDS] WHAT FILTER VERB…: until the filter yields true; else the last document is shown.
wait_true() {
        local seconds=60 what filter deadline document
        if [ "$1" = -t ]; then
                seconds=$2
                shift 2
        fi
        what=$1 filter=$2 deadline=$((SECONDS + seconds))
        shift 2
        until document=$(ctl --json=short "$@" 2>&1) && jq -e "$filter" >/dev/null 2>&1 <<<"$document"; do
                [ "$SECONDS" -lt "$deadline" ] ||
                        fail "waited $seconds s in vain for: $what: '$filter' is not true of $(head -c 2000 <<<"$document")"
                sleep 0.05
        done
}

# follow_now FILE [OPTION…]: `follow --json=short` into the file; what closes from here on is in it.  Its pid is $FOLLOWER.  No
# other program may ask meanwhile: the collector counts the requests that it has answered, and a question to it is two of
# them (hello, status), the follower three (and follow).
follow_now() {
        local file=$1 answered
        shift
        answered=$(json .status.queries status)
        "$CTL" --socket "$QUERY" --json=short follow "$@" >"$file" &
        FOLLOWER=$!
        answered=$((answered + 3))
        is_followed() {
                answered=$((answered + 2))
                [ "$(json .status.queries status)" -ge "$answered" ]
        }
        wait_for "the follower to be answered" is_followed
}

# start_collector [OPTION…]: spanallocd in $RUNTIME, answering.  Its log is $WORK/collector.log.
start_collector() {
        need jq
        [ -z "$COLLECTOR_PID" ] || fail "a collector runs already"
        "$DAEMON" --user --runtime-dir "$RUNTIME" "$@" \
                </dev/null >>"$WORK/collector.log" 2>&1 &
        COLLECTOR_PID=$!
        local deadline=$((SECONDS + 60))
        until ctl status >/dev/null 2>&1; do
                kill -0 "$COLLECTOR_PID" 2>/dev/null || fail "the collector ended at once"
                [ "$SECONDS" -lt "$deadline" ] || fail "the collector does not answer"
                sleep 0.05
        done
        if [ -n "${SPANALLOC_TEST_BACKEND:-}" ]; then
                expect "the collector's backend" "$(json .status.backend status)" "$SPANALLOC_TEST_BACKEND"
        fi
}

# stop_collector: with SIGTERM; it must end with 0 within 60 seconds.
stop_collector() {
        [ -n "$COLLECTOR_PID" ] || return 0
        kill -TERM "$COLLECTOR_PID"
        wait_for "the collector's end" lib_is_gone "$COLLECTOR_PID"
        wait_status "$COLLECTOR_PID"
        COLLECTOR_PID=
        expect "the collector's exit status" "$STATUS" 0
}

# kill_collector: with SIGKILL, nothing tidied.
kill_collector() {
        kill -KILL "$COLLECTOR_PID"
        wait "$COLLECTOR_PID" 2>/dev/null || true
        COLLECTOR_PID=
}

# start_keeper [OPTION…] -- DAEMON…: a service manager that keeps descriptors (fd_keeper.c), with the daemon started.
# The log of both is $WORK/collector.log.
start_keeper() {
        need jq
        coproc KEEPER { exec "$BUILD/tests/fd_keeper" --sockets "$RUNTIME" "$@" 2>>"$WORK/collector.log"; }
        keeper start
        wait_for "the collector's answer" ctl status
}

# stop_keeper: ends both, which must end with 0.
stop_keeper() {
        local pid=$KEEPER_PID
        eval "exec ${KEEPER[1]}>&-"
        wait_status "$pid"
        expect "the keeper's exit status" "$STATUS" 0
}

# keeper COMMAND…: $KEEPER_ANSWER is what it says.
keeper() {
        echo "$*" >&"${KEEPER[1]}"
        read -r -t 900 KEEPER_ANSWER <&"${KEEPER[0]}" || fail "the keeper does not answer to '$*'"
}

# Gone, or a zombie that its parent has not waited for yet.
lib_is_gone() {
        local stat
        stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
        [[ ${stat##*) } == Z* ]]
}

# counted COMMAND…: under the counting preload.
counted() {
        LD_PRELOAD=$PRELOAD "$@"
}

# expect_balanced [PID]: before + self + outside + lost = the counters, for one process or all.
expect_balanced() {
        json_true "the books balance" "
                [.processes[] | select(${1:+.pid == $1 and} .alloc_count > 0)] | length > 0 and all(
                        . as \$p | [\"alloc_count\", \"alloc_bytes\", \"dealloc_count\", \"dealloc_bytes\"] | all(
                                . as \$c | \$p[\$c] == \$p[\"self_\" + \$c] + \$p[\"outside_\" + \$c] +
                                        \$p[\"lost_\" + \$c] + \$p[\"before_\" + \$c]))" ps
}

# expect_short_turns: no turn of the collector's loop took more processor time than 20 ms.  Says nothing of a collector that
# is checked or emulated, which does more.
expect_short_turns() {
        local ns what
        ns=$(json .status.longest_turn_ns status)
        what=$(json .status.longest_turn status)
        note "the longest turn took $((ns / 1000)) us, most of it $what"
        if ldd "$DAEMON" | grep -Eq 'lib(a|l|t|ub)san' || nm -D "$DAEMON" | grep -q __assert_fail || [ -n "${SPANALLOC_EMULATED:-}" ]; then
                return 0
        fi
        [ "$ns" -le 20000000 ] || fail "a turn took $((ns / 1000)) us of processor time, most of it $what"
}
