# live: an entry that was pushed past a hole is not moved back into it.
# File: daemon/books/open_spans.c
# Sources: daemon/books/open_spans.c
/^static void empty_slot/,/^}/ s/if (!books->index\[slot\])/if (1)/
