# [L3]: live counters are booked though lost deltas wait.
# Script: refusal, counted in place
# File: daemon/drain/segment_reader.c
# Sources: daemon/drain/segment_reader.c
/^bool segment_live_counters/,/^}/ s/atomic_load_explicit(&lane->lost_stretches, memory_order_acquire)/0/
