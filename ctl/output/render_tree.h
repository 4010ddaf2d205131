/* SPDX-License-Identifier: MIT */
/*
 * The answer of `tree` as a drawing: processes as roots, spans below the spans that opened them.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "ctl/options/options.h"
#include "query/table.h"

/* As many spans as options->limit allows; *ret_left: how many rows come after those.  0 or -errno. */
int render_tree(const struct options *options, const struct table *tree, FILE *stream, size_t *ret_left);
