# File: daemon/books/tally.h
# The record is longer.
/^_Static_assert(sizeof(struct tally) ==/d
/^struct tally {/,/^};/ s/^};/        uint64_t next_own[8];\n};/
