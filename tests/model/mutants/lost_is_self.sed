# frames: what is lost is not taken out of its interval.
# File: daemon/attribution/interval.c
# Sources: daemon/attribution/interval.c
s/take(delta, lane->pending_lost, lane->lost);/take((uint64_t[4]){delta[0], delta[1], delta[2], delta[3]}, lane->pending_lost, lane->lost);/
