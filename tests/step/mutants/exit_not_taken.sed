# Another thread's exit is nowhere while it is being written.
# Script: migration, and the end of a thread, counted in place
# File: client/calls/slow_path.c
# Sources: client/calls/slow_path.c
/lane->taken, instance/d
