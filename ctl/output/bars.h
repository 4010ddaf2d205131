/* SPDX-License-Identifier: MIT */
/*
 * Small drawings from characters: levels and bars, in UTF-8 or ASCII.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* True if the locale can show more than ASCII. */
bool bars_utf8(void);

/* One column: how high, from 0 to 1. */
const char *bars_level(double share);

/* A bar of at most `width` columns, `share` of it full; in UTF-8 to an eighth of a column.  Anything above zero is
 * seen.  Returns `buf`. */
enum { BARS_MAX = 512 };
char *bars_fill(char buf[BARS_MAX], double share, size_t width);
