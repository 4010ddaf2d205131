# client: a jump over scopes leaves them on the stack.
# File: client/calls/slow_path.c
# Sources: client/calls/slow_path.c
/^static bool exit_here/,/^}/ s/if (!(flags & SHM_FLAG_MIGRATED))/if (0)/
