# frames: a cycle that was cut off by its thread's death counts as completed.
# File: daemon/attribution/frames.c
# Sources: daemon/attribution/frames.c
/^static void end_cycle/,/^}/ s/if (!(end & CYCLE_ABORTED))/if (1)/
