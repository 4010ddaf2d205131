# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A newcomer's day on a bare Debian: scripts/demo and scripts/test (--quick with SPANALLOC_LONG_QUICK=1) there, from nothing
# but git.  The packages are one of the latter's tests.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# whole_debian SUITE
whole_debian() {
        must "debootstrap $1" debian_root "$1"
        must "git" debian_run "$ROOT" sh -c 'apt-get -q update && apt-get -q -y install --no-install-recommends git'
        must "the tree" debian_source "$ROOT"
        must "its files, in git" debian_run "$ROOT" sh -c 'cd /src && git init -q . && git add -A'
        check "scripts/demo" debian_run "$ROOT" bash -o pipefail -c 'cd /src && scripts/demo </dev/null | cat'
        debian_run "$ROOT" bash -c "cd /src && scripts/test ${SPANALLOC_LONG_QUICK:+--quick}" | tee "$WORK/log"
        add_line "$(tail -n 1 "$WORK/log")"
        check "files left in /tmp" nothing_left "$ROOT/tmp"
        check "files left at home" nothing_left "$ROOT/root"
        finish
}

# nothing_left DIRECTORY: what it has is what debootstrap's has.
nothing_left() {
        local left
        left=$(comm -13 <(ls -A "$CACHED/${1##"$ROOT"/}" | sort) <(ls -A "$1" | sort))
        [ -z "$left" ] || { echo "$left"; return 1; }
}
