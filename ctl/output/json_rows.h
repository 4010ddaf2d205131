/* SPDX-License-Identifier: MIT */
/*
 * Within json*.c: the rows of a table as text, without an object for each value.
 */
#pragma once

#include "ctl/output/json.h"

struct json_object;
struct printbuf;

struct json_rows;

/* Borrows the table and the names. */
struct json_rows *json_rows_new(const struct table *table, const struct json_columns *columns);
struct json_rows *json_rows_free(struct json_rows *rows);
/* Writes them as an array on one line, as json-c would.  0, or -1: no memory. */
int json_rows_write(const struct json_rows *rows, struct printbuf *to);
