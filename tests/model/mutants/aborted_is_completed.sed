# frames: a cycle that was cut off by its thread's death counts as completed.
# File: daemon/core/frames.c
# Sources: daemon/core/frames.c
/^static void end_cycle/,/^}/ s/if (!(end & CYCLE_ABORTED))/if (1)/
