/* SPDX-License-Identifier: MIT */
/*
 * The rows of `ps`: which are shown.  Pure; the table is in verb_ps.c.
 */
#pragma once

#include <stddef.h>

#include "ctl/options/options.h"
#include "query/table.h"

/* Removes rows: with --alive those of ended processes, and for a person those of programs that only executed the next
 * one, unless --full is given; then those beyond --limit.  `complete` is false if the limit removed some.  Returns how many
 * programs were folded, or -ENOMEM. */
int ps_rows_choose(struct table *ps, const struct options *options);
