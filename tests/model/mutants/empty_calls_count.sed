# tally: a span without a cycle is in the distribution.
# File: daemon/core/tally.c
# Sources: daemon/core/tally.c
s/if (cycles && !hist_add/if (!hist_add/
