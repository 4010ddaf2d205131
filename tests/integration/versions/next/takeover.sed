# File: daemon/collector/takeover.c
/^struct label {/,/^};/ s/^};/        uint64_t next_own[4];\n};/
