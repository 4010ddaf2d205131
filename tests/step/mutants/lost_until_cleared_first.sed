# Nothing says any more that a LOST was published, when what waits is not cleared yet.
# Script: refusal, counted in place
# File: client/lanes/lost.c
# Sources: client/lanes/lost.c
/^uint64_t sa_flush_lost/,/^}/ {
        /lost_until, 0/d
        s/^        ring_publish.*/&\n        atomic_store_explicit(\&lane->lost_until, 0, memory_order_release);/
}
