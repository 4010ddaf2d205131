# File: daemon/books/names.h
# The record is longer.
/^_Static_assert(sizeof(struct book_name) ==/d
/^struct book_name {/,/^};/ s/^};/        uint64_t next_own[8];\n};/
