# File: daemon/books/books_layout.h
# A record is longer; there is a new kind of record.
/^_Static_assert(sizeof(struct sums) ==/d
/^struct sums {/,/^};/ s/uint64_t calls, calls_net;/uint64_t calls, calls_net, next_own;/
s/^        REGIONS$/        REGION_NEXT,\n        REGIONS/
