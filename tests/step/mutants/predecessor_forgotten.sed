# Who dies while moving in is given what the thread before it had counted.
# Script: a lane that changes hands unseen, counted in place
# File: daemon/drain/lane_owners.c
# Sources: daemon/drain/lane_owners.c
s/^                frames_settle(books, i, owner->offset, 0);/                if (!(owner->occupancy \& 1))\n&/
