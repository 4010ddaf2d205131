# A LOST is published after what waits was cleared.
# Script: refusal, counted in place
# File: client/slow.c
# Sources: client/slow.c
/^static uint64_t flush_lost/,/^}/ {
        /ring_publish/d
        s/^        return head + 1;/        ring_publish(lane, head + 1);\n&/
}
