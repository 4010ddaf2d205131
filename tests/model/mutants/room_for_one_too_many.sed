# ring: a slot that is not free counts as free.
# File: shm/ring.h
# Sources: client/lanes/room.c client/lanes/lane_move.c
s/return head + need <= lane->limit;/return head + need <= lane->limit + 1;/
