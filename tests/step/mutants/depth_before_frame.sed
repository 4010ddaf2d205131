# [F1]: the depth before the frame.
# Script: refusal unseen, counted in place
# File: client/record.h
# Sources: client/slow.c client/spans.c
/^static sa_inline void sa_push_now/,/^}/ {
        /lane->depth, (uint32_t)depth + 1/d
        s/^        sa_store_two(/        atomic_store_explicit(\&lane->depth, (uint32_t)depth + 1, memory_order_release);\n        atomic_signal_fence(memory_order_seq_cst);\n&/
}
