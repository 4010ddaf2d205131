/* SPDX-License-Identifier: MIT */
/*
 * Sorts the rows of `tree` by a column: siblings in that order, each parent before its children.
 */
#pragma once

#include "query/table.h"

/* `sort` is a column's name, with '-' before it for descending.  Processes keep their order, and so do equal siblings.
 * Without that column nothing changes.  0; or -ENOMEM, and nothing has changed. */
int tree_order(struct table *tree, const char *sort);
