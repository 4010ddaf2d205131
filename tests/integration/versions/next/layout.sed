# File: daemon/books/books_layout.h
# Every record is longer, in its middle of the arena and at its end; two have a field in words that were reserved before;
# there is a new kind of record.
/^_Static_assert(sizeof(struct \(book_name\|tally\|sums\|frame\|lane\|instance\|thread_name\|span_time\)) ==/d
/^struct book_name {/,/^};/ s/^};/        uint64_t next_own[8];\n};/
/^struct tally {/,/^};/ s/^};/        uint64_t next_own[8];\n};/
/^struct instance {/,/^};/ s/^};/        uint64_t next_own[8];\n};/
/^struct thread_name {/,/^};/ s/^};/        uint64_t next_own[8];\n};/
/^struct span_time {/,/^};/ s/^};/        uint64_t next_own[8];\n};/
/^struct book {/,/^};/ s/^};/        uint64_t next_own[8];\n};/
/^struct sums {/,/^};/ s/uint64_t reserved\[2\]/uint64_t next_own, reserved[1]/
/^struct frame {/,/^};/ s/uint64_t reserved\[3\]/uint64_t next_own[9], reserved[2]/
/^struct lane {/,/^};/ s/^        struct frame frames/        uint64_t next_own[8];\n\n&/
s/^        REGIONS$/        REGION_NEXT,\n        REGIONS/
