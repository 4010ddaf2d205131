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
