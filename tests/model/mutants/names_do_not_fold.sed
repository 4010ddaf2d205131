# client: a name that is on the path already is appended again.
# File: client/intern.c
# Sources: client/intern.c
/^static uint32_t find_ancestor/,/^}/ s/if ((uint32_t)key == name)/if (0)/
