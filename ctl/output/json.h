/* SPDX-License-Identifier: MIT */
/*
 * Documents for programs.  The one home of json-c.
 *
 * A document is an object that begins with schema, time_ns and complete; tables, rows and single values are added to
 * it under names.  Integers keep all their 64 bits; nothing is rounded, and there are no floating-point numbers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/options/options.h"
#include "query/table.h"

struct json;

int json_new(struct json **ret, uint64_t time_ns, bool complete);
struct json *json_free(struct json *json);

/* Which columns of a table; NULL or a count of 0: all of them.  A name that the table lacks is left out. */
struct json_columns {
        const char *const *names;
        size_t count;
};

/* All return 0 or -ENOMEM.  A key that is there already is replaced. */
/* The table and the columns' names are borrowed until the document is freed: they are read when it is printed. */
int json_add_table(struct json *json, const char *key, const struct table *table, const struct json_columns *columns);
/* Appends rows of `table` to the array under `key`, which need not be there yet. */
int json_append_row(struct json *json, const char *key, const struct table *table, size_t row,
                    const struct json_columns *columns);
/* One row as an object; NULL key: its members become members of the document itself. */
int json_add_row(struct json *json, const char *key, const struct table *table, size_t row,
                 const struct json_columns *columns);
/* Single values.  `object`: the name of an object in the document, made if need be; NULL: the document itself. */
int json_add_uint(struct json *json, const char *object, const char *key, uint64_t value);
int json_add_int(struct json *json, const char *object, const char *key, int64_t value);
int json_add_text(struct json *json, const char *object, const char *key, const char *value);
/* Adds an empty array. */
int json_add_array(struct json *json, const char *key);
/* Appends a text in valid UTF-8 to the array under `key`, and makes the array if there is none. */
int json_append_text(struct json *json, const char *key, const char *value);
/* Appends an object of texts to the array under `key`: names and values in turn, then NULL. */
int json_append_texts(struct json *json, const char *key, const char *const *texts);
/* Adds a number to the last object of the array under `key`. */
int json_extend_last(struct json *json, const char *key, const char *name, int64_t value);

/* Prints and ends the line.  0, or -errno of the stream. */
int json_print(const struct json *json, FILE *stream, enum json_mode mode);
