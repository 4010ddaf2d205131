# Nothing says where a LOST will be.
# Script: refusal, counted in place
# File: client/lost.c
# Sources: client/lost.c
/^uint64_t sa_flush_lost/,/^}/ {
        /lost_until, head + 1/d
}
