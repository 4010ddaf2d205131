# Who dies while moving in is given what the thread before it had counted.
# Script: a lane that changes hands unseen, counted in place
# File: daemon/core/occupant.c
# Sources: daemon/core/occupant.c
s/^                frames_settle(books, i, who->offset, 0);/                if (!(who->occupancy \& 1))\n&/
