# Where a stretch begins is not noted before a frame is refused.
# Script: refusal, counted in place
# File: client/lanes/lost.c
# Sources: client/lanes/lost.c
/^void sa_leave_top/,/^}/ s/^                shm_store_counters(now->since, at);//
