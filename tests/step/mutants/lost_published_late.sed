# A LOST is published after what waits was cleared.
# Script: refusal, counted in place
# File: client/lanes/lost.c
# Sources: client/lanes/lost.c
/^uint64_t sa_flush_lost/,/^}/ {
        /ring_publish/d
        s/^        return head + 1;/        ring_publish(lane, head + 1);\n&/
}
