# ring: a slot that is not free counts as free.
# File: shm/ring.h
# Sources: client/spans.c client/slow.c client/lane.c client/wait.c
s/return head + need <= lane->limit;/return head + need <= lane->limit + 1;/
