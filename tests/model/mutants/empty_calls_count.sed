# tally: a span without a cycle is in the distribution.
# File: daemon/core/tally.h
# Sources: daemon/core/frames.c daemon/core/spans.c daemon/core/live.c
s/if (cycles && !hist_add/if (!hist_add/
