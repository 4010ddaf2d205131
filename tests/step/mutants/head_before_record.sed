# [R1]: the head before the record.
# Script: claim, open, enter, exit, close, counted in place
# File: client/spans.c
# Sources: client/spans.c
/^static inline void enter/,/^}/ {
        /ring_publish/d
        s/^        sa_live(lane, at);/&\n        ring_publish(lane, head + 1);/
}
