# [F1]: the depth before the frame.
# Script: refusal unseen, counted in place
# File: client/lanes/record.h
# Sources: client/calls/slow_path.c client/calls/cycles.c
/^static sa_inline void sa_push_now/,/^}/ {
        /sa_add_depth(lane, 1);/d
        s/^        sa_store_what(/        sa_add_depth(lane, 1);\n        atomic_signal_fence(memory_order_seq_cst);\n&/
}
