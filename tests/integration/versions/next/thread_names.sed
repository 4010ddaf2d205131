# File: daemon/books/thread_names.h
# The record is longer.
/^_Static_assert(sizeof(struct thread_name) ==/d
/^struct thread_name {/,/^};/ s/^};/        uint64_t next_own[8];\n};/
