# File: daemon/books/arena_migrate.c
s/^.*\[REGION_TIME_SUMS\] = WHOLE.*/&\n        [REGION_NEXT] = WHOLE(uint64_t),/
