# client: a name that is on the path already is appended again.
# File: client/segment/intern.c
# Sources: client/segment/intern.c
/^static uint32_t find_ancestor/,/^}/ s/if ((uint32_t)key == name)/if (0)/
