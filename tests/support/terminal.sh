# SPDX-License-Identifier: MIT
# For tests that need a terminal: a tmux server of the test's own, which ends with the test.  After lib.sh.
# shellcheck shell=bash
need tmux

terminal() {
        tmux -S "$WORK/tmux" -f /dev/null "$@"
}
end_terminal() {
        local status=$?
        set +e
        terminal kill-server 2>/dev/null
        (exit "$status")
        lib_cleanup
}
trap end_terminal EXIT

# These are for the session "v".
screen() {
        terminal capture-pane -p -t v
}
grep_screen() {
        screen | grep -Eq -- "$1"
}
# shows REGEX: some line of the screen matches, within a minute.
shows() {
        (wait_for "a line like '$1'" grep_screen "$1") || fail "the screen is:"$'\n'"$(screen)"
}
keys() {
        terminal send-keys -t v "$@"
}
not_on_screen() {
        ! grep_screen "$1"
}
# hides REGEX: no line of the screen matches, within a minute.
hides() {
        (wait_for "no line like '$1'" not_on_screen "$1") || fail "the screen is:"$'\n'"$(screen)"
}
# asks KEY REGEX: presses a key that needs an answer, until a line matches.  Where the machine is busy top may have refused it:
# then it is pressed again once the collector answers.
asks() {
        keys "$1"
        (wait_for "a line like '$2'" was_taken "$@") || fail "the screen is:"$'\n'"$(screen)"
}
was_taken() {
        grep_screen "$2" && return
        grep_screen '^No collector answers:' || return 1
        keys x # no key: it ends the message
        wait_for "an answer" not_on_screen '^(No collector answers:|No answer|Trying again)'
        keys "$1"
        return 1
}
