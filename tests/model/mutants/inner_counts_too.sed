# frames: the inner frame of a name counts in its total, too.
# File: daemon/core/frames.c
# Sources: daemon/core/frames.c
s/flags &= ~(uint32_t)FRAME_OUTER_NAME;$/;/
