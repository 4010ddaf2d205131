# File: daemon/books/books_layout.h
# A record has a field in words that were reserved before; there is a new kind of record.
/^_Static_assert(sizeof(struct sums) ==/d
/^struct sums {/,/^};/ s/uint64_t reserved\[2\]/uint64_t next_own, reserved[1]/
s/^        REGIONS$/        REGION_NEXT,\n        REGIONS/
