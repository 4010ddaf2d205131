# live: an entry that was pushed past a hole is not moved back into it.
# File: daemon/core/live.c
# Sources: daemon/core/live.c
/^static void empty_slot/,/^}/ s/if (!books->index\[slot\])/if (1)/
