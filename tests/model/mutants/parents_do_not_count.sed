# client: a path is found by its name alone.
# File: client/intern.c
# Sources: client/intern.c
/^static uint32_t wanted/,/^}/ s/parent << NAME_BITS | name/name/
