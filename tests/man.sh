#!/bin/bash
# SPDX-License-Identifier: MIT
# The manual against the programs: mandoc's lint is silent; what the tables and headers have, the pages name; and what
# the pages call an option, is one.
. "$(dirname "$0")/support/lib.sh"
need mandoc

MAN=$BUILD/docs/man
pages=(man1/spanallocctl.1 man3/spanalloc.3 man7/spanalloc.7 man7/spanalloc-protocol.7 man8/spanallocd.8)
bad=0
complain() {
        echo "man: $*"
        bad=$((bad + 1))
}

# rendered PAGE: the text of the page, in wide lines and without formatting.
rendered() {
        mandoc -T ascii -O width=200 "$MAN/$1" | sed 's/.\x08//g'
}

# names PAGE WHAT NAME…: each is in the page, as a word.
names() {
        local text page=$1 what=$2 name
        shift 2
        text=$(rendered "$page")
        [ $# -gt 0 ] || fail "found no $what"
        for name in "$@"; do
                grep -qE -- "(^|[^A-Za-z0-9_-])$name([^A-Za-z0-9_-]|\$)" <<<"$text" ||
                        complain "${page##*/} does not tell of the $what $name"
        done
}

# ------------------------------------------------------------------------------------------------------ form --
version=$("$CTL" --version | head -n 1 | grep -oE '[0-9][0-9.]*$') || fail "spanallocctl --version prints no version"
for page in "${pages[@]}"; do
        [ -e "$MAN/$page" ] || fail "there is no $MAN/$page"
        rendered "$page" | tail -n 1 | grep -qF "spanalloc $version" ||
                complain "${page##*/} has no version at its foot"
        # References to pages that are not installed here are looked at below.  The version is the argument of .Os.
        while read -r line; do
                complain "$line"
        done < <(mandoc -T lint "$MAN/$page" 2>&1 | grep -vE 'referenced manual not found|outdated mandoc.db|operating system explicitly specified')
        while read -r name section; do
                case "$name $section" in
                'clone 2' | 'fork 2' | 'mmap 2' | 'poll 2' | 'vfork 2' | 'less 1' | 'dlclose 3' | 'dlsym 3' | 'longjmp 3' | 'siglongjmp 3') continue ;;
                'secure_getenv 3' | 'sd_listen_fds 3' | 'sd_notify 3' | 'ld.so 8' | 'systemd.'*' 5') continue ;;
                'systemctl 1' | 'journalctl 1' | 'systemd 1' | 'systemd-'*) continue ;;
                esac
                [ -e "$MAN/man$section/$name.$section" ] || complain "${page##*/} refers to $name($section)"
        done < <(sed -nE 's/^\.Xr ([^ ]+) ([0-9]).*/\1 \2/p; s/.*Xr ([a-z][^ ]+) ([0-9]).*/\1 \2/p' "$MAN/$page" | sort -u)
done
for link in "$MAN"/man3/*_*.3; do
        expect "$link" "$(cat "$link")" ".so man3/spanalloc.3"
done

# ------------------------------------------------------------------------------------------------ spanallocctl --
# What help prints, is from the tables; what is an option, stands there in the second or seventh column.
options_of() {
        sed -nE 's/^  (-[A-Za-z0-9], |    )?(--[a-z][a-z-]*).*/\2/p' <<<"$1"
        sed -nE 's/^  (-[A-Za-z0-9]), --.*/\1/p' <<<"$1"
}
mapfile -t verbs < <("$CTL" help | sed -nE '/^Verbs:/,/^$/s/^  ([a-z][a-z-]*).*/\1/p')
names man1/spanallocctl.1 verb "${verbs[@]}"
options=
for verb in "${verbs[@]}"; do
        help=$("$CTL" help "$verb")
        options+=$(options_of "$help")$'\n'
        mapfile -t columns < <(sed -nE '/^(Columns|Fields):/,/^$/s/^  ([a-z][a-z0-9_]+) .*/\1/p' <<<"$help")
        [ ${#columns[@]} = 0 ] || names man1/spanallocctl.1 "column of $verb" "${columns[@]}"
done
mapfile -t ctl_options < <(sort -u <<<"$options" | grep .)
names man1/spanallocctl.1 option "${ctl_options[@]}"
mapfile -t headings < <(sed -nE 's/^ +\[TOP_[A-Z0-9_]+\] = \{"([^"]+)".*/\1/p' "$SOURCE"/ctl/model/top_layout.c)
names man1/spanallocctl.1 "column of top" "${headings[@]}"
names man1/spanallocctl.1 "exit status" 0 1 2 3 4 125 126 127 '128\+n'

# -------------------------------------------------------------------------------------------------- spanallocd --
mapfile -t daemon_options < <("$DAEMON" --help | sed -nE 's/^ +(--[a-z][a-z-]*).*/\1/p')
names man8/spanallocd.8 option "${daemon_options[@]}"
mapfile -t counters < <("$CTL" help status | sed -nE '/^Fields:/,/^$/s/^  ([a-z][a-z0-9_]+) .*/\1/p')
names man8/spanallocd.8 counter "${counters[@]}"
mapfile -t messages < <(sed -nE 's/^ +X\(([A-Z_]+), [A-Z]+, "[0-9a-f]{32}"\).*/\1/p' "$SOURCE/daemon/host/log.h")
names man8/spanallocd.8 message "${messages[@]}"
for message in "${messages[@]}"; do
        grep -q "^@about message $message\$" "$SOURCE/docs/man/spanallocd.8.in" ||
                complain "spanallocd.8.in says nothing about the message $message: write \"@about message $message\""
done
names man8/spanallocd.8 "exit status" 0 1 2
while read -r heading; do
        grep -qxF "@limits $heading" "$SOURCE"/docs/man/*.in || complain "no page has the limits \"$heading\": @limits"
done < <(awk '/^## /{ heading = substr($0, 4) } /^\|/ && heading != last { print heading; last = heading }' \
        "$SOURCE/docs/limits.md")

# ---------------------------------------------------------------------------------------------------- library --
header=$SOURCE/client/include/spanalloc/spanalloc.h
mapfile -t calls < <(sed -nE 's/^SPANALLOC_API .*[ *](spanalloc_[a-z_]*[a-z])\(.*/\1/p' "$header")
names man3/spanalloc.3 call "${calls[@]}"
for call in "${calls[@]}"; do
        [ -e "$MAN/man3/$call.3" ] || complain "there is no page $call(3)"
done
mapfile -t fields < <(sed -nE '/^struct spanalloc_(options|stats|counters) \{/,/^\}/s/^ +[a-z0-9_ ]+ \*?([a-z_]+);.*/\1/p' "$header")
names man3/spanalloc.3 field "${fields[@]}"
mapfile -t macros < <(grep -oE '\bSPANALLOC_[A-Z_]*[A-Z]\b' "$header" | sort -u |
        grep -vE '^SPANALLOC_(H|ABI|API|CAT|CAT2|WEAK_SPAN)$')
names man3/spanalloc.3 macro "${macros[@]}"

# --------------------------------------------------------------------------------------------------- protocol --
mapfile -t methods < <(sed -nE 's/^ +\{"([a-z_]+)", query_method_.*/\1/p' "$SOURCE/daemon/query/query.c")
names man7/spanalloc-protocol.7 method hello reset "${methods[@]}"
mapfile -t params < <(sed -nE 's/^ +(NUMBER|TEXT)\("([a-z_]+)".*/\2/p' "$SOURCE/daemon/query/query_params.c")
names man7/spanalloc-protocol.7 parameter "${params[@]}"
mapfile -t columns < <(sed -nE 's/^ +X\(([a-z][a-z0-9_]+), .*/\1/p' "$SOURCE/daemon/wire/columns.h")
names man7/spanalloc-protocol.7 column "${columns[@]}"
for name in hello reset "${methods[@]}" "${params[@]}"; do
        grep -qw "$name" "$SOURCE/docs/query-protocol.md" || complain "docs/query-protocol.md does not tell of $name"
done

# ------------------------------------------------------------------------------------------------ environment --
# variables FOLDER…: that the code there reads.
variables() {
        (cd "$SOURCE" && grep -rhoE --include='*.c' 'getenv\("[A-Z_]+"\)' "$@" | sed -E 's/.*"(.*)".*/\1/' | sort -u)
}
mapfile -t read_by < <(variables client shm | grep -vx PATH)
names man3/spanalloc.3 variable "${read_by[@]}"
names man7/spanalloc.7 variable "${read_by[@]}"
mapfile -t read_by < <(variables ctl)
names man1/spanallocctl.1 variable "${read_by[@]}"
mapfile -t read_by < <(variables daemon)
names man8/spanallocd.8 variable "${read_by[@]}"

# ----------------------------------------------------------------------------------- what is not there (any more) --
# Pages other than spanallocctl's own also show commands, of these programs, pkg-config and systemctl.
for page in "${pages[@]}"; do
        known=("${ctl_options[@]}")
        [ "$page" = man1/spanallocctl.1 ] || known+=("${daemon_options[@]}" --cflags --libs --static --now)
        while read -r option; do
                [[ " ${known[*]} " == *" $option "* ]] || complain "${page##*/} tells of $option, which is no option"
        done < <(rendered "$page" | grep -oE -- '(^|[^A-Za-z0-9-])--[a-z][a-z-]*' | grep -oE -- '--.*' | sort -u)
done

[ "$bad" = 0 ] || fail "$bad complaints; the pages are made from docs/man/*.in and the tables, see docs/man/manual.c"
pass
