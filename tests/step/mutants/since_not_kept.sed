# Where a stretch begins is not noted before a frame is refused.
# Script: refusal, counted in place
# File: client/slow.c
# Sources: client/slow.c
/^static void leave_top/,/^}/ s/^                shm_store_counters(now->since, at);//
