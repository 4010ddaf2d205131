# What waits and where it begins anew are turned to before they are written.
# Script: refusal, counted in place
# File: client/lanes/lost.c
# Sources: client/lanes/lost.c
/^void sa_leave_top/,/^}/ {
        s/^        turn_lost(lane);$//
        s/^        for (int i = 0.*/        turn_lost(lane);\n        atomic_signal_fence(memory_order_seq_cst);\n&/
        s/^        if (!spent)/        if (0)/
}
