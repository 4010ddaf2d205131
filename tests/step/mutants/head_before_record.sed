# [R1]: the head before the record.
# Script: claim, open, enter, exit, close, counted in place
# File: client/calls/cycles.c
# Sources: client/calls/cycles.c
/^static sa_inline void put_enter/,/^}/ {
        /ring_publish/d
        s/^        struct sa_now now = sa_now(lane);/&\n        ring_publish(lane, at.head + 1);/
}
