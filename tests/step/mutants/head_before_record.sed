# [R1]: the head before the record.
# Script: claim, open, enter, exit, close, counted in place
# File: client/cycles.c
# Sources: client/cycles.c
/^static sa_inline void put_enter/,/^}/ {
        /ring_publish/d
        s/^        struct sa_now now = sa_now(lane);/&\n        ring_publish(lane, at.head + 1);/
}
