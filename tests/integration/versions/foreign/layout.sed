# File: daemon/books/books_layout.h
# The same records, but they mean something else.
s/^#define BOOKS_LAYOUT .*/#define BOOKS_LAYOUT 99u/
