# frames: the inner frame of a name counts in its total, too.
# File: daemon/attribution/frames.c
# Sources: daemon/attribution/frames.c
s/flags &= ~(uint32_t)FRAME_OUTER_NAME;$/;/
