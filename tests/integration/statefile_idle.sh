#!/bin/bash
# SPDX-License-Identifier: MIT
# The books of a process that sleeps are saved, and then left alone: its file is not written again round after round.
. "$(dirname "$0")/../support/lib.sh"

state=$WORK/state
start_collector --state-dir "$state" --state-interval 1
LD_PRELOAD=$PRELOAD sleep 600 &
pid=$!
wait_for "its file" test -s "$state/books.1"
# Which file it is: an inode's number alone may come again.
file() {
        stat -c '%i %z' "$state/$1"
}
# The collector's own page is replaced in each round.
another_round() {
        [ "$(file collector)" != "$round" ]
}
left_alone() {
        local n round
        books=$(file books.1)
        for n in 1 2 3; do
                round=$(file collector)
                wait_for "another round" another_round
        done
        [ "$(file books.1)" = "$books" ]
}
wait_for -t 60 "three rounds that leave its file alone" left_alone
json_true "it lives" '.processes[0].alive' ps
kill "$pid"
ended() {
        [ "$(json '.processes[0].alive' ps)" = false ]
}
wait_for "its end" ended
# Compared with the file before the end: the round that saves may have come already.
saved_again() {
        [ "$(file books.1)" != "$books" ]
}
wait_for "its end to be saved" saved_again
stop_collector
pass
