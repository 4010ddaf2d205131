# client: a path is found by its name alone.
# File: client/segment/intern.c
# Sources: client/segment/intern.c
/^static uint32_t wanted/,/^}/ s/parent << NAME_BITS | name/name/
