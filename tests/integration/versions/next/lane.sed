# File: daemon/books/lane.h
# Both records are longer; a frame has a field in words that were reserved before.
/^_Static_assert(sizeof(struct \(frame\|lane\)) ==/d
/^struct frame {/,/^};/ s/uint64_t reserved\[3\]/uint64_t next_own[9], reserved[2]/
/^struct lane {/,/^};/ s/^        struct frame frames/        uint64_t next_own[8];\n\n&/
