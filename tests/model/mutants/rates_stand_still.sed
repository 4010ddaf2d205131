# tally: rates do not decay.
# File: daemon/books/tally.c
# Sources: daemon/books/tally.c
s/ \* exp(-seconds .*/;/
