# client: nobody remembers that a scope's handle was read.
# File: client/spans.c
# Sources: client/spans.c
/shm_store(top->state, top->state | SHM_FRAME_SHARED);/d
