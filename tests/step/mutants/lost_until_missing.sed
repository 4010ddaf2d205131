# Nothing says where a LOST will be.
# Script: refusal, counted in place
# File: client/lanes/lost.c
# Sources: client/lanes/lost.c
/^uint64_t sa_flush_lost/,/^}/ {
        /lost_until, head + 1/d
}
