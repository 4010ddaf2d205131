# [L3]: live counters are booked though lost deltas wait.
# Script: refusal, counted in place
# File: daemon/core/reader.c
# Sources: daemon/core/reader.c
/^bool reader_live/,/^}/ s/atomic_load_explicit(&lane->lost_stretches, memory_order_acquire)/0/
