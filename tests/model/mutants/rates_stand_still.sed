# tally: rates do not decay.
# File: daemon/core/tally.c
# Sources: daemon/core/tally.c
s/ \* exp(-seconds .*/;/
