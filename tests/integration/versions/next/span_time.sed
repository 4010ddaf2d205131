# File: daemon/books/span_time.h
# The record is longer.
/^_Static_assert(sizeof(struct span_time) ==/d
/^struct span_time {/,/^};/ s/^};/        uint64_t next_own[8];\n};/
