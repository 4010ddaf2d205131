# File: daemon/books/open_spans.h
# The record is longer.
/^_Static_assert(sizeof(struct instance) ==/d
/^struct instance {/,/^};/ s/^};/        uint64_t next_own[8];\n};/
