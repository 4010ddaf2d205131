# Nothing says where a LOST will be.
# Script: refusal, counted in place
# File: client/slow.c
# Sources: client/slow.c
/^static uint64_t flush_lost/,/^}/ {
        /lost_until, head + 1/d
}
