# [F1]: the depth before the frame.
# Script: refusal unseen, counted in place
# File: client/record.h
# Sources: client/slow.c client/spans.c
/^static inline void sa_push/,/^}/ {
        /lane->depth, depth + 1/d
        s/^        frame->path = path;/        atomic_store_explicit(\&lane->depth, depth + 1, memory_order_release);\n        atomic_signal_fence(memory_order_seq_cst);\n&/
}
