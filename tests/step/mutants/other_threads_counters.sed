# A frame that another thread has exited stays, and its record is written.
# Script: migration, and the end of a thread, counted in place
# File: client/slow_path.c
# Sources: client/slow_path.c
/^static void take_out/,/^}/ s/for (uint32_t j = i; j + 1 < depth; j++)/for (uint32_t j = i; j + 1 < depth \&\& !(flags \& SHM_FLAG_MIGRATED); j++)/
