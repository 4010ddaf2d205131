# File: daemon/collector/handover.c
/^struct page {/,/^};/ s/^};/        uint64_t next_own[4];\n};/
