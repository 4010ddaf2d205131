# client: a jump over scopes leaves them on the stack.
# File: client/slow.c
# Sources: client/slow.c
/^static bool exit_here/,/^}/ s/if (!(flags & SHM_FLAG_MIGRATED))/if (0)/
