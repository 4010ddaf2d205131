# [L3]: a refused frame ends before what it lost is seen to wait.
# Script: too deep, counted in place
# File: client/calls/slow_path.c
# Sources: client/calls/slow_path.c
/^static bool exit_beyond/,/^}/ {
        /fetch_sub/d
        s/^        sa_leave_top.*/        atomic_fetch_sub_explicit(\&lane->refused_frames, 1, memory_order_release);\n&/
}
