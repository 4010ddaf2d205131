# File: daemon/books/books.c
s/^.*\[REGION_TIME_SUMS\] = .*/&\n                [REGION_NEXT] = 1000,/
