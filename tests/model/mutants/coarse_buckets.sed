# tally: values from 16 on share twice as wide a bucket.
# File: daemon/books/hist.h
# Sources: daemon/attribution/frames.c daemon/attribution/spans.c daemon/books/open_spans.c daemon/books/hist.c
s/return (k - 3) \* HIST_SUB + (unsigned)((value >> (k - 4)) & (HIST_SUB - 1));/return (k - 3) * HIST_SUB + (unsigned)((value >> (k - 4)) \& (HIST_SUB - 2));/
