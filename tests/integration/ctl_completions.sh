#!/bin/bash
# SPDX-License-Identifier: MIT
# Completions: every verb and option of the tables is in each of the three files, names and pids come from the
# collector, and each shell takes its file.
# Optional: zsh and fish may be missing on a developer's machine
. "$(dirname "$0")/../support/lib.sh"
need jq

BASH_FILE=$SOURCE/ctl/completions/spanallocctl.bash
ZSH_FILE=$SOURCE/ctl/completions/_spanallocctl
FISH_FILE=$SOURCE/ctl/completions/spanallocctl.fish

mapfile -t verbs < <("$CTL" help | sed -En '/^Verbs:/,/^$/s/^  ([a-z]+).*/\1/p')
expect_at_least "verbs in help" "${#verbs[@]}" 13
for verb in "${verbs[@]}"; do
        for file in "$BASH_FILE" "$ZSH_FILE" "$FISH_FILE"; do
                grep -Eq "(^|[ '])$verb([ ':]|\$)" "$file" || fail "$file does not know the verb $verb"
        done
        while read -r option; do
                grep -q -- "--$option" "$BASH_FILE" || fail "bash: no --$option of $verb"
                grep -q -- "--$option" "$ZSH_FILE" || fail "zsh: no --$option of $verb"
                grep -Eq -- "-l $option( |\$)" "$FISH_FILE" || fail "fish: no --$option of $verb"
        done < <("$CTL" help "$verb" | sed -En '/^Options/,$s/^  +(-., +)?--([a-z-]+).*/\2/p')
done

start_collector
mkfifo "$WORK/in"
exec 9<>"$WORK/in"
"$PROGRAMS/span_scripted" <&9 >"$WORK/program" &
program=$!
wait_for "the program" grep -q ready "$WORK/program"
echo >&9
wait_for "spans" bash -c "'$CTL' --socket '$QUERY' --json spans | jq -e '.spans | length == 8'"

# completes WORDS…: what bash offers for the last of them, a line each.
completes() {
        COMP_WORDS=("$CTL" "$@") COMP_CWORD=$# COMPREPLY=()
        _spanallocctl
        printf '%s\n' "${COMPREPLY[@]}" | sort -u | xargs
}
# shellcheck source=/dev/null
. "$BASH_FILE"
set +u
expect "verbs with s" "$(completes s)" "show spans status"
expect "span names" "$(completes --socket "$QUERY" show '')" "(outside) span_scripted child job parse poke request shared task"
expect "span names with p" "$(completes --socket "$QUERY" show p)" "parse poke"
expect "pids" "$(completes --socket "$QUERY" spans --pid '')" "$program"
expect "pids after =" "$(completes --socket = "$QUERY" ps --pid = "${program:0:1}")" "$program"
expect "filters of ps" "$(completes --socket "$QUERY" ps --filter span_)" "span_scripted"
expect "filters" "$(completes --socket "$QUERY" tree --filter ch)" "child"
expect "columns" "$(completes spans --columns net_b)" "net_bytes"
expect "sort" "$(completes top --sort -net_b)" "-net_bytes"
expect "options of tree" "$(completes tree --m)" "--min-percent"
expect "options of status" "$(completes status --m)" ""
expect "colours" "$(completes --color = a)" "always auto"
expect "help" "$(completes help do)" "doctor"
expect_match "a command of run" "$(completes run -- tru)" '(^| )true( |$)'
expect "without a collector" "$(completes --socket "$WORK/nowhere" show '')" ""
set -u

skipped=
if command -v fish >/dev/null; then
        offers() {
                fish --no-config -c "source '$FISH_FILE'; complete -C 'spanallocctl $1'" | cut -f 1 | sort -u | xargs
        }
        ln -s "$CTL" "$WORK/spanallocctl"
        PATH=$WORK:$PATH
        expect "fish: verbs" "$(offers 'sp')" "spans"
        expect "fish: span names" "$(offers "--socket $QUERY show p")" "parse poke"
        expect "fish: pids" "$(offers "--socket $QUERY spans --pid ")" "$program"
        expect "fish: options" "$(offers 'tree --min')" "--min-percent"
        expect "fish: columns" "$(offers 'ps --columns bal')" "balanced"
else
        skipped=" without fish"
fi
if command -v zsh >/dev/null; then
        zsh -n "$ZSH_FILE" || fail "zsh does not take its file"
        mkdir "$WORK/zsh"
        cp "$ZSH_FILE" "$WORK/zsh/_spanallocctl"
        [ -e "$WORK/spanallocctl" ] || ln -s "$CTL" "$WORK/spanallocctl"
        # A zsh in a terminal of its own, since completion works nowhere else.
        . "$SOURCE/tests/support/terminal.sh"
        cat >"$WORK/zsh/.zshrc" <<END
PATH=$WORK:\$PATH fpath=($WORK/zsh \$fpath) PS1='zsh> '
autoload -Uz compinit && compinit -u -d $WORK/zsh/dump
setopt auto_list no_beep list_ambiguous
END
        terminal new-session -d -s z -x 100 -y 30 "ZDOTDIR=$WORK/zsh exec zsh -i"
        on_screen() {
                terminal capture-pane -p -t z | grep -Eq -- "$1"
        }
        shows() {
                (wait_for "zsh shows '$1'" on_screen "$1") || fail "zsh: $(terminal capture-pane -p -t z)"
        }
        shows '^zsh>'
        terminal send-keys -t z "spanallocctl do" Tab
        shows 'doctor'
        terminal send-keys -t z C-u "spanallocctl --socket=$QUERY show tas" Tab
        shows 'show task'
        terminal send-keys -t z C-u "spanallocctl --socket=$QUERY spans --pid=" Tab
        shows "(--pid=| )$program"
        terminal send-keys -t z C-u "spanallocctl tree --min" Tab
        shows 'tree --min-percent='
else
        skipped="$skipped without zsh"
fi
pass "${skipped# }"
