# client: it is not recorded that a scope's handle was read.
# File: client/calls/spans.c
# Sources: client/calls/spans.c
/shm_store(top->state, top->state | SHM_FRAME_SHARED);/d
