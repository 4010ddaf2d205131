/* SPDX-License-Identifier: MIT */
/*
 * Within the library: a table from a decoded message.
 */
#pragma once

#include "query/table.h"

/* `size` is that of the message that holds the value.  0, -ENOMEM, or -EBADMSG: not of that form.
 * *ret owns all its memory. */
int table_decode(struct table **ret, const char *name, struct wire_value result, size_t size);
/* A plain map (`status`, `reset`) as a table of one row. */
int table_decode_map(struct table **ret, const char *name, struct wire_value result, size_t size);
/* One row by itself, an array in the order of the table's columns (`follow`). */
int table_decode_row(struct table **ret, const char *name, struct wire_value row, size_t size);
