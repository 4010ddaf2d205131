# decayed: rates do not decay.
# File: daemon/books/decayed.c
# Sources: daemon/books/decayed.c
s/ \* exp(-seconds .*/;/
