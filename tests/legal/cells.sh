#!/bin/bash
# SPDX-License-Identifier: MIT
# A program may do anything that is legal, at any instant: DEED × STATE of the collector × WHERE the deed comes.
#
#     cells.sh DEED [STATE [WHERE]]      SPANALLOC_BUILD=build/release bash tests/legal/cells.sh fork restarted call
#     cells.sh count                     how many cells run, and how many are left out
#
# In each cell a program (legal.c) does what its plain twin does, which has no spanalloc in it: the same output, the same end;
# it keeps its own ledger, which check.py holds against the books.  Inside a call, and inside malloc's counting, the deed is
# done by a signal handler, at instructions that step.c chooses.  LEGAL_KEEP=DIR keeps what was written.
#
# STATE: none        no collector listens
#        attached    a collector serves all the time
#        stopped     the collector ended before the deed
#        restarted   it ended by SIGTERM, and another one serves since before the deed
#        replaced    it was killed, and another one serves since before the deed
#        full        it stands still, and the ring is full
. "$(dirname "$0")/../support/lib.sh"
need jq python3

LEGAL=$SOURCE/tests/legal
BIN=$CLIENT_BUILD/tests/legal
DEEDS=(fork vfork clone handler siglongjmp seccomp strict setuid chroot mlockall rlimit_as rlimit_nofile ucontext dlopen
       thread_exit exec)
STATES=(none attached stopped restarted replaced full)
WHERES=(between call malloc)

left_out() {
        local deed state where reason
        while read -r deed state where reason; do
                [ "$deed" = "$1" ] || continue
                if [[ $2 == $state && $3 == $where ]]; then
                        echo "$reason"
                        return 0
                fi
        done < <(grep -v '^#' "$LEGAL/left_out.txt")
        return 1
}

if [ "${1:-}" = count ]; then
        run=0
        out=0
        for deed in "${DEEDS[@]}"; do
                for state in "${STATES[@]}"; do
                        for where in "${WHERES[@]}"; do
                                if left_out "$deed" "$state" "$where" >/dev/null; then
                                        out=$((out + 1))
                                else
                                        run=$((run + 1))
                                fi
                        done
                done
        done
        pass "$run cells run, $out are left out"
fi

DEED=${1:?usage: cells.sh DEED [STATE [WHERE]]}
if [ "$(id -u)" != 0 ] && [[ $DEED == setuid || $DEED == chroot || $DEED == mlockall ]]; then
        note "Optional: not root, so that $DEED fails, and the program goes on"
fi

chmod 711 "$WORK" "$RUNTIME"
mkdir "$WORK/root"
export LEGAL_ROOT=$WORK/root LEGAL_PLUGIN=$BIN/liblegal_plugin.so
export SPANALLOC_ATTACH_MS=20000

# What is done once needs a process for each instruction at which it shall happen.
once=no
case $DEED in
seccomp | strict | setuid | chroot | mlockall | rlimit_as | rlimit_nofile | exec) once=yes ;;
esac

# firsts WHERE: the instructions before which the first operations are interrupted, a process each
firsts() {
        case $once.$1 in
        *.between) [[ $DEED == seccomp || $DEED == strict || $DEED == mlockall ]] && echo 0 0 0 || echo 0 ;;
        yes.call) echo 2 9 23 41 60 75 300 1500 ;;
        yes.malloc) echo 0 3 7 12 18 24 200 1500 ;;
        # The library finds the new collector in one of them: each time at another place.
        no.call)
                case $DEED in
                handler) echo 3 20 40 60 80 100 400 ;;
                thread_exit | siglongjmp | fork | clone) echo 3 40 200 400 800 1200 1600 ;; # also in the middle of an attachment
                *) echo 3 40 400 ;;
                esac
                ;;
        no.malloc) [ "$DEED" = handler ] && echo 0 3 6 9 12 15 18 21 24 300 || echo 2 10 300 ;;
        esac
}

# new_ledger FILE
new_ledger() {
        head -c 131072 /dev/zero >"$1"
        chmod 666 "$1"
}

# plain WHERE FLAGS TIMES: its output and end are what each run of the cell must have
plain() {
        local base=$DIR/plain.$1
        new_ledger "$base.ledger"
        STATUS=0
        timeout 200 "$BIN/legal_plain" "$DEED" "$1" 0 "$3" "$2" "$base.ledger" >"$base.out" </dev/null || STATUS=$?
        echo "$STATUS" >"$base.status"
}

# launch WHERE VARIANT FIRST FLAGS TIMES
launch() {
        local base=$DIR/$1.$2
        new_ledger "$base.ledger"
        LEGAL_PRELOAD=$PRELOAD "$BIN/legal_step" "$1" "$3" "$5" "$base.step" "$BIN/legal" "$DEED" "$1" "$2" "$5" \
                "$4,traced" "$base.ledger" >"$base.out" 2>&1 </dev/null &
        RUNS+=("$!")
        BASES+=("$base")
}

# all_say WORD: each run has come so far, or ended
all_say() {
        local base
        for base in "${BASES[@]}"; do
                grep -qs "^$1\|^end" "$base.step" || return 1
        done
}

all_ended() {
        [ "$(json '[.processes[] | select(.alive)] | length' ps)" = 0 ]
}

# scene STATE WHERE…: all of these cells at once, with one collector
scene() {
        local state=$1 where flags=- times=40 variant first run
        shift
        DIR=$WORK/$DEED.$state
        RUNS=()
        BASES=()
        mkdir "$DIR"
        unset SPANALLOC_RING_KIB LEGAL_SEEN_ONLY
        # Strict mode by a system call of the program's own is seen by the collector only, and where there is none, or another
        # one since, by nothing (docs/decisions/sandboxes.md).  A filter is expected, since no_new_privs stands before it.
        if [[ $DEED == strict && $state =~ ^(none|restarted|replaced)$ ]]; then
                export LEGAL_SEEN_ONLY=yes
                note "left out: strict $state by the program's own system call, which nothing sees"
        fi
        if [ "$state" = full ]; then
                flags=fill
                times=12
                export SPANALLOC_RING_KIB=16 SPANALLOC_ATTACH_MS=200
        fi
        [ "$DEED" != handler ] || times=80 # more opens than the library lets pass between two looks for a collector
        # Long enough that the library looks for the new collector; in a sandbox it may not look for any.
        [[ $state != restarted && $state != replaced ]] || flags=soak
        [[ $state != none && $state != stopped ]] || [[ $DEED != seccomp && $DEED != strict ]] || flags=soak
        [ "$state" = none ] || start_collector --max-ended 16000 --keep 600
        for where in "$@"; do
                plain "$where" "$flags" "$times"
                variant=0
                for first in $(firsts "$where"); do
                        launch "$where" "$variant" "$first" "$flags" "$times"
                        variant=$((variant + 1))
                done
        done
        wait_for -t 240 "all to be ready ($DEED, $state)" all_say ready
        case $state in
        stopped) stop_collector ;;
        restarted)
                stop_collector
                start_collector --max-ended 16000 --keep 600
                ;;
        replaced)
                kill_collector
                start_collector --max-ended 16000 --keep 600
                ;;
        full) kill -STOP "$COLLECTOR_PID" ;;
        esac
        : >"$DIR/go"
        wait_for -t 240 "all to have worked ($DEED, $state)" all_say worked
        [ "$state" != full ] || kill -CONT "$COLLECTOR_PID"
        if [ -n "$COLLECTOR_PID" ]; then
                ctl --json=short ps >"$DIR/alive.json"
                ctl doctor >"$DIR/doctor" 2>&1 || true
        fi
        : >"$DIR/go2"
        for run in "${RUNS[@]}"; do
                wait_status "$run"
        done
        if [ -n "$COLLECTOR_PID" ]; then
                wait_for -t 200 "the end of all ($DEED, $state)" all_ended
                ctl --json=short ps >"$DIR/ps.json"
                ctl --json=short spans >"$DIR/spans.json"
                stop_collector
        fi
        for where in "$@"; do
                python3 "$LEGAL/check.py" "$DIR" "$DEED" "$state" "$where" || FAILED=$((FAILED + 1))
                CELLS=$((CELLS + 1))
        done
        if [ -n "${LEGAL_KEEP:-}" ]; then
                mkdir -p "$LEGAL_KEEP"
                cp -r "$DIR" "$LEGAL_KEEP/" 2>/dev/null || true
        fi
        rm -rf "$DIR"
}

FAILED=0
CELLS=0
for state in "${STATES[@]}"; do
        [[ $state == "${2:-$state}" ]] || continue
        wheres=()
        for where in "${WHERES[@]}"; do
                [[ $where == "${3:-$where}" ]] || continue
                if reason=$(left_out "$DEED" "$state" "$where"); then
                        note "left out: $DEED $state $where: $reason"
                else
                        wheres+=("$where")
                fi
        done
        [ "${#wheres[@]}" = 0 ] || scene "$state" "${wheres[@]}"
done
rm -f "$WORK/collector.log"
[ "$CELLS" -gt 0 ] || fail "no such cell"
[ "$FAILED" = 0 ] || fail "$FAILED of $CELLS cells of $DEED"
pass "$CELLS cells of $DEED"
