# File: daemon/books/batch.h
# The record is longer.
/^_Static_assert(sizeof(struct book) ==/d
/^struct book {/,/^};/ s/^};/        uint64_t next_own[8];\n};/
