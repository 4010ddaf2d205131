#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks models, and that each finds what it is for.  usage: tests/model/run.sh [--deep] MODEL.pml…
#
# A model's opening comment says:
#
#     Run: FLAGS                              search all states with these; more than one line: one after the other
#     Mutant: NAME breaks RULE [with FLAGS]   with -DNAME an ordering or a rule is taken out; then RULE must break
#     Deep: FLAGS                             larger bounds, for --deep only: minutes, and gigabytes
#
# A run is good when spin finds no error and has searched everything.  A mutant is good when spin finds just that error.
set -u -o pipefail

memory_mib=2000
deep=no
if [ "${1:-}" = --deep ]; then
        deep=yes
        memory_mib=16000
        shift
fi
if [ $# = 0 ]; then
        echo "usage: tests/model/run.sh [--deep] MODEL.pml…" >&2
        exit 2
fi
if ! command -v spin >/dev/null; then
        echo "tests/model/run.sh: there is no spin; scripts/install-deps test installs it" >&2
        exit 1
fi
# What compiles fastest, as most searches take less time than that.
quick=(gcc -O0)
command -v clang >/dev/null && quick=(clang -O0)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0

complain() {
        echo "FAILED: $*"
        bad=$((bad + 1))
}

# lines MODEL KEYWORD: what stands after it in the opening comment.
lines() {
        sed -n "/\*\//q; s/^ \* $2: //p" "$1"
}

# search MODEL "COMPILER…" FLAGS…: spin's report, in $tmp/report.
search() {
        local model=$1 compiler=$2
        shift 2
        # shellcheck disable=SC2086
        (
                cd "$tmp" && rm -f pan* ./*.trail &&
                        spin -a "$@" "$model" &&
                        $compiler -w -DSAFETY -DCOLLAPSE -DVECTORSZ=4096 -DMEMLIM=$memory_mib -o pan pan.c &&
                        ./pan -m1000000 -w20
        ) >"$tmp/report" 2>&1
}

states() {
        sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$tmp/report"
}

# What spin cannot go on after, or has left out.
is_cut_short() {
        grep -qiE 'too small|out of memory|not completed|truncated|reached -DMEMLIM|aborting' "$tmp/report"
}

run() {
        local model=$1 name=${1##*/} begun=$SECONDS
        shift
        search "$model" "gcc -O1" "$@"
        if ! grep -q 'errors: 0$' "$tmp/report" || is_cut_short; then
                complain "$name${*:+ $*}"
                grep -vE '^$|unreached|\.pml:[0-9]+, state' "$tmp/report" | head -n 30
                return
        fi
        echo "$name${*:+ $*}: $(states) states, depth $(sed -n 's/.*depth reached \([0-9]*\),.*/\1/p' "$tmp/report"), no error," \
                "$((SECONDS - begun)) s"
}

mutant() {
        local model=$1 name=${1##*/} mutant=$2 rule=$4
        shift 4
        [ "${1:-}" = with ] && shift
        search "$model" "${quick[*]}" "-D$mutant" "$@"
        if grep -q "assertion violated *!($rule) " "$tmp/report"; then
                echo "$name -D$mutant${*:+ $*}: breaks $rule after $(states) states"
        else
                complain "$name -D$mutant${*:+ $*}: $rule is not broken"
                grep -E 'pan:1|errors:|states, stored|rror' "$tmp/report" | head -n 10
        fi
}

for model in "$@"; do
        if ! [ -r "$model" ]; then
                complain "$model cannot be read"
                continue
        fi
        model=$(realpath "$model")
        keyword=Run
        [ $deep = yes ] && keyword=Deep
        mapfile -t runs < <(lines "$model" $keyword)
        mapfile -t mutants < <(lines "$model" Mutant)
        [ "${#runs[@]}" -gt 0 ] || runs=("")
        for flags in "${runs[@]}"; do
                # shellcheck disable=SC2086
                run "$model" $flags
        done
        [ $deep = no ] || continue
        [ "${#mutants[@]}" -gt 0 ] || complain "${model##*/} has no mutant: it is unknown whether it can fail"
        for line in "${mutants[@]}"; do
                # shellcheck disable=SC2086
                mutant "$model" $line
        done
done
[ $bad = 0 ] || echo "$bad failed"
[ $bad = 0 ]
