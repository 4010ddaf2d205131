# A frame that another thread has exited stays, and its record is written.
# Script: migration, and the end of a thread, counted in place
# File: client/calls/slow_path.c
# Sources: client/calls/slow_path.c
s/begin_moving(lane, i, depth - 1, head + 1);/begin_moving(lane, flags \& SHM_FLAG_MIGRATED ? depth - 1 : i, depth - 1, head + 1);/
