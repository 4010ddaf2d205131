# Live counters are booked though a refused frame is there.
# Script: refusal, counted in place
# File: daemon/drain/segment_reader.c
# Sources: daemon/drain/segment_reader.c
/^bool segment_live_counters/,/^}/ s/atomic_load_explicit(&lane->refused_frames, memory_order_acquire)/0/
